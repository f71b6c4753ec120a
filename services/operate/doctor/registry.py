"""All checks, in the order in which they are told. A check is a look at the world and a judgement.

To add one: facts and `judge` in `judging/`, how to get them in `looking/`, a line here, and a test
that plants the fault in the real thing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from services.aggregator.settings import AggregatorSettings
from services.operate.doctor.finding import Finding, Level, skipped, warning
from services.operate.doctor.judging import (
    acls,
    clocks,
    disks,
    grants,
    metering,
    parts,
    prices,
    reach,
    retention,
    schema,
    topics,
    versions,
)
from services.operate.doctor.looking import clickhouse, kafka
from services.operate.doctor.looking import metering as look_metering
from services.operate.doctor.looking import prices as look_prices
from services.operate.doctor.looking import reach as look_reach
from services.operate.doctor.looking import schema as look_schema
from services.operate.doctor.looking import versions as look_versions
from services.operate.doctor.looking.world import World
from services.platform.errors import WattokenError
from services.platform.settings import read_settings

Part = Literal["Kafka", "ClickHouse"]
F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Check:
    """A check by its name: what must answer for it, and how it is done."""

    name: str
    needs: frozenset[Part]
    run: Callable[[World], Iterable[Finding]]


def check(
    name: str,
    needs: tuple[Part, ...],
    look: Callable[[World], F],
    judge: Callable[[F], Iterable[Finding]],
) -> Check:
    """Put a look and its judgement together; what cannot be looked at is told, not raised."""

    def run(world: World) -> Iterable[Finding]:
        try:
            facts = look(world)
        except WattokenError as error:
            return [
                warning(name, f"could not be looked at: {error}", "docs/doctor.md has its rights")
            ]
        return judge(facts)

    return Check(name, frozenset(needs), run)


def _acls(rules: acls.Rules | None) -> Iterable[Finding]:
    if rules is None:
        return [
            skipped(
                "Kafka ACLs",
                "the brokers show none: they have none, or this user may not see them",
                "where they have: kafka-acls.sh --add --cluster --operation Describe"
                " --allow-principal of this user",
            )
        ]
    return acls.judge(rules)


def _rights(world: World) -> grants.Rights | None:
    rights = clickhouse.rights(world)
    return rights if any(user.grants is not None for user in rights.users) else None


def _grants(rights: grants.Rights | None) -> Iterable[Finding]:
    if rights is None:
        why = "none of the users in WATTOKEN_DOCTOR_CLICKHOUSE_USERS is there"
        return [skipped("ClickHouse users", why, "name them there, where services have their own")]
    return grants.judge(rights)


def _disks(world: World) -> tuple[disks.Disk, ...]:
    state = clickhouse.state_disk(read_settings(AggregatorSettings).aggregator_state_dir)
    return (*clickhouse.disks(world), *(() if state is None else (state,)))


CHECKS: Final = (
    check("reach", (), look_reach.look, reach.judge),
    check("versions", (), look_versions.look, versions.judge),
    check("topics", ("Kafka",), kafka.topics, topics.judge),
    check(
        "acls",
        ("Kafka",),
        lambda world: kafka.acls(world, read_settings(AggregatorSettings).aggregator_group),
        _acls,
    ),
    check("schema", ("ClickHouse",), look_schema.look, schema.judge),
    check("grants", ("ClickHouse",), _rights, _grants),
    check("metering", ("Kafka", "ClickHouse"), look_metering.progress, metering.judge),
    check("retention", ("Kafka", "ClickHouse"), look_metering.retention, retention.judge),
    check("clocks", ("Kafka",), kafka.clocks, clocks.judge),
    check("clickhouse-clock", ("ClickHouse",), lambda w: (clickhouse.clock(w),), clocks.judge),
    check("disks", ("ClickHouse",), _disks, disks.judge),
    check("parts", ("ClickHouse",), clickhouse.merging, parts.judge),
    check("prices", ("ClickHouse",), look_prices.look, prices.judge),
)


def examine(world: World, checks: Iterable[Check] = CHECKS) -> Iterator[tuple[str, Finding]]:
    """Do the checks; each finding with the name of its check.

    What needs something that does not answer is skipped: one finding says that, not twelve.
    """
    away: set[str] = set()
    for one in checks:
        missing = sorted(one.needs & away)
        if missing:
            yield one.name, skipped(one.name, f"{' and '.join(missing)} does not answer")
            continue
        for finding in one.run(world):
            if one.name == "reach" and finding.level is Level.ERROR:
                away.add(finding.what)
            yield one.name, finding
