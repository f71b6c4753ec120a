"""The metering rules of a log that follows another: those that its predecessor had last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from clickhouse_connect.driver.client import Client

from schemas.metering_rules import DAY_MS, MeteringRules
from services.platform import rules_table
from services.platform.errors import ConfigurationError


def rules_by_partition(client: Client, log: str) -> dict[int, MeteringRules]:
    """The rules that came last in each partition of a log; one without any is missing.

    Raises `UnavailableError` and `ConfigurationError`.
    """
    return {
        partition: entries[-1][1]
        for partition, entries in rules_table.read_rules(client, log).items()
    }


def rules_to_inherit(last: Mapping[int, MeteringRules], log: str) -> MeteringRules:
    """The one set of rules that all partitions of a log had last. Raises `ConfigurationError`."""
    distinct = set(last.values())
    if not distinct:
        raise ConfigurationError(f"log {log} has no metering rules: run `wattoken migrate`")
    if len(distinct) > 1:
        raise ConfigurationError(
            f"the partitions of log {log} have different metering rules, so it is not clear which"
            " its successor gets: make them alike (docs/runbook.md, 'Changing metering rules')"
        )
    return distinct.pop()


def lenient(rules: MeteringRules, waited_ms: int) -> MeteringRules:
    """The same for records that are copied, and so bear a later append time than they had.

    What was young enough when it was appended must not be too old for that, and what was sent
    again within the horizon must be a duplicate still. ``waited_ms`` is how long ago the oldest of
    them was appended; a day more is for copying and for clocks that differ.
    """
    more_ms = waited_ms + DAY_MS
    return replace(
        rules,
        too_old_ms=rules.too_old_ms + more_ms,
        dedup_horizon_ms=rules.dedup_horizon_ms + more_ms,
    )


def store_rules(
    client: Client, log: str, from_offsets: Mapping[int, int], rules: MeteringRules
) -> None:
    """Insert rules that hold from an offset on, by partition."""
    rules_table.store_rules(
        client, log, [(partition, offset, rules) for partition, offset in from_offsets.items()]
    )
