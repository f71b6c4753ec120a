"""The metering rules of a log in ClickHouse: what `migrate` stores, and what is read of it.

A row decides from its offset on and must be there before any worker has read that far.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from clickhouse_connect.driver.client import Client

from schemas.metering_rules import RULE_NAMES, MeteringRules, row_of, rules_of
from services.platform.clickhouse import INSERT_SETTINGS, all_rows, mapped_errors
from services.platform.errors import ConfigurationError
from services.platform.kafka_log import Log

Report = Callable[[str], None]
#: Rules of one partition, each from an offset on; offsets ascend.
Entries = Sequence[tuple[int, MeteringRules]]


def ensure_rules(client: Client, log: Log, rules: MeteringRules, report: Report) -> None:
    """Write the rules, from offset 0, for each partition of the log that has none."""
    rows = all_rows(
        client,
        "SELECT DISTINCT partition FROM metering_rules WHERE log = {log:String}",
        {"log": log.name},
    )
    have = {int(partition) for (partition,) in rows}
    missing = [partition for partition in range(log.partitions) if partition not in have]
    if not missing:
        report(f"metering rules of log {log.name}: already stored")
        return
    store_rules(client, log.name, [(partition, 0, rules) for partition in missing])
    report(f"metering rules of log {log.name}: stored for {len(missing)} partitions")


def ensure_thresholds(
    client: Client,
    log: Log,
    rules: MeteringRules,
    ends: Callable[[], Mapping[int, int]],
    report: Report,
) -> None:
    """Give the thresholds of ``rules`` to partitions that are metered without any, from now on.

    Those are logs of before there were bands. The row is at the log's end, by ``ends``: what lies
    below it may be metered already, and in no slice twice. Whoever wants no bands has one threshold
    that nothing exceeds. Workers must not run, as with any change of rules (docs/runbook.md).
    """
    without = {
        partition: entries
        for partition, entries in read_rules(client, log.name).items()
        if partition < log.partitions and not any(one.context_thresholds for _, one in entries)
    }
    if not without:
        return
    found = ends()
    store_rules(
        client,
        log.name,
        [
            (partition, offset, one)
            for partition, entries in sorted(without.items())
            for offset, one in with_thresholds(entries, found[partition], rules.context_thresholds)
        ],
    )
    report(
        f"metering rules of log {log.name}: context bands from the ends of {len(without)}"
        " partitions on"
    )


def with_thresholds(
    entries: Entries, end: int, thresholds: tuple[int, ...]
) -> list[tuple[int, MeteringRules]]:
    """The rules in force at an offset and after it, with thresholds."""
    begun = [one for offset, one in entries if offset <= end]
    later = [(offset, one) for offset, one in entries if offset > end]
    if begun:
        later.insert(0, (end, begun[-1]))
    return [(offset, replace(one, context_thresholds=thresholds)) for offset, one in later]


def read_rules(client: Client, log: str) -> dict[int, list[tuple[int, MeteringRules]]]:
    """Read the rules of a log by partition, each from an offset on."""
    rows = all_rows(
        client,
        f"SELECT partition, from_offset, {', '.join(RULE_NAMES)} FROM metering_rules FINAL"
        " WHERE log = {log:String}",
        {"log": log},
    )
    found: dict[int, list[tuple[int, MeteringRules]]] = {}
    for partition, from_offset, *values in sorted(rows):
        found.setdefault(int(partition), []).append((int(from_offset), rules_of(values)))
    return found


def store_rules(client: Client, log: str, rows: Sequence[tuple[int, int, MeteringRules]]) -> None:
    """Insert rules: a partition, the offset from which on they hold, and what they say."""
    with mapped_errors():
        client.insert(
            "metering_rules",
            [[log, partition, offset, *row_of(rules)] for partition, offset, rules in rows],
            column_names=["log", "partition", "from_offset", *RULE_NAMES],
            settings=INSERT_SETTINGS,
        )


def rules_now(client: Client, log_name: str) -> MeteringRules:
    """Look up the rules last stored for a log; raises `ConfigurationError` if there are none."""
    rows = all_rows(
        client,
        f"SELECT {', '.join(RULE_NAMES)} FROM metering_rules FINAL WHERE log = {{log:String}}"
        " ORDER BY from_offset DESC LIMIT 1",
        {"log": log_name},
    )
    if not rows:
        raise ConfigurationError(f"no rules are stored for log {log_name}: run `wattoken migrate`")
    return rules_of(rows[0])
