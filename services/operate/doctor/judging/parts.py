"""PURE. Whether ClickHouse keeps up with merging, and nothing is stuck."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from services.operate.doctor.finding import Finding, error, ok, warning

#: Of the number of parts at which ClickHouse slows inserts down.
CROWDED_SHARE: Final = 0.5
MUTATION_SECONDS: Final = 3600
MERGE_SECONDS: Final = 4 * 3600
DELAY_SECONDS: Final = 300


@dataclass(frozen=True, slots=True)
class Crowd:
    """The partition of a table that has the most active parts."""

    table: str
    partition: str
    parts: int


@dataclass(frozen=True, slots=True)
class Mutation:
    """A change of a table's data that is not done."""

    table: str
    command: str
    age_seconds: int
    failure: str


@dataclass(frozen=True, slots=True)
class Replica:
    """A replicated table as this server has it."""

    table: str
    read_only: bool
    delay_seconds: int


@dataclass(frozen=True, slots=True)
class Merging:
    """What the database's tables wait for. ``detached`` counts parts by table and reason."""

    crowds: tuple[Crowd, ...]
    delay_at_parts: int
    throw_at_parts: int
    mutations: tuple[Mutation, ...]
    longest_merge_seconds: int
    detached: tuple[tuple[str, str, int], ...]
    replicas: tuple[Replica, ...]


def judge(facts: Merging) -> Iterator[Finding]:
    """Judge parts, merges, mutations, detached parts and replicas."""
    found = [*_parts(facts), *_mutations(facts), *_detached(facts), *_replicas(facts)]
    yield from found
    if not found:
        most = max((crowd.parts for crowd in facts.crowds), default=0)
        yield ok(
            "parts", f"at most {most} in a partition; inserts slow down at {facts.delay_at_parts}"
        )


def _parts(facts: Merging) -> Iterator[Finding]:
    for crowd in facts.crowds:
        what = f"parts of {crowd.table}"
        found = f"{crowd.parts} in partition {crowd.partition}"
        remedy = (
            "see that merges run (system.merges) and the disk has room and speed; raise"
            " WATTOKEN_AGGREGATOR_FLUSH_INTERVAL_SECONDS, and see to what else inserts there"
        )
        if crowd.parts >= facts.delay_at_parts:
            at = f"inserts are slowed down from {facts.delay_at_parts} on, refused at"
            yield error(what, f"{found}: {at} {facts.throw_at_parts}", remedy)
        elif crowd.parts >= CROWDED_SHARE * facts.delay_at_parts:
            at = f"inserts slow down at {facts.delay_at_parts}"
            yield warning(what, f"{found}: {at}", remedy)
    if facts.longest_merge_seconds > MERGE_SECONDS:
        yield warning(
            "merges",
            f"one runs for {facts.longest_merge_seconds / 3600:.1f} h",
            "see to the disk's speed; SELECT * FROM system.merges",
        )


def _mutations(facts: Merging) -> Iterator[Finding]:
    for one in facts.mutations:
        what = f"mutation of {one.table}"
        kill = (
            "KILL MUTATION where it is not wanted; SELECT * FROM system.mutations WHERE NOT is_done"
        )
        if one.failure:
            yield error(what, f"fails ({one.failure[:200]}): {one.command[:100]}", kill)
        elif one.age_seconds > MUTATION_SECONDS:
            hours = one.age_seconds / 3600
            yield warning(what, f"is not done after {hours:.1f} h: {one.command[:100]}", kill)


def _detached(facts: Merging) -> Iterator[Finding]:
    for table, reason, parts in facts.detached:
        what = f"detached parts of {table}"
        if reason in ("", "attaching", "deleting"):
            yield warning(
                what,
                f"{parts} were detached by hand: their rows are in no total",
                "attach them again, or drop them (ALTER TABLE … ATTACH PART, DROP DETACHED PART)",
            )
        else:
            yield error(
                what,
                f"{parts} are {reason}: ClickHouse put them aside, and their rows are in no total",
                "`wattoken audit`; restore a backup (docs/runbook.md, 'Restoring a backup')",
            )


def _replicas(facts: Merging) -> Iterator[Finding]:
    for one in facts.replicas:
        if one.read_only:
            yield error(
                f"replica of {one.table}",
                "is read-only: workers cannot write to it",
                "see to ClickHouse Keeper, then SYSTEM RESTORE REPLICA",
            )
        elif one.delay_seconds > DELAY_SECONDS:
            yield warning(
                f"replica of {one.table}",
                f"is {one.delay_seconds} s behind: workers that meet it wait or stop",
                "see to the network and system.replication_queue",
            )
