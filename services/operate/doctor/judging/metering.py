"""PURE. Whether what comes in is metered, in time, and none of it is lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from services.operate.doctor.finding import Finding, error, ok, warning

#: Records that wait, and since when, before it is told: as the alert WattokenLagGrowing.
LAG_RECORDS: Final = 10_000
LAG_SECONDS: Final = 600
#: Part of the retention after which what waits is in danger.
DANGER_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a partition is metered, and when its newest metered record was appended (ms)."""

    next_offset: int
    last_append_ms: int


@dataclass(frozen=True, slots=True)
class Progress:
    """The log's bounds and the meter's place in it, by partition. ``now_ms`` is the brokers'."""

    topic: str
    starts: Mapping[int, int]
    ends: Mapping[int, int]
    checkpoints: Mapping[int, Checkpoint]
    begun: Mapping[int, int]
    with_rules: frozenset[int]
    retention_ms: int
    now_ms: int


def judge(facts: Progress) -> Iterator[Finding]:
    """Judge rules, losses and lag."""
    what = f"metering of {facts.topic}"
    without = sorted(set(facts.ends) - facts.with_rules)
    if without:
        yield error(
            what, f"partitions {without[:5]} have no metering rules", "run `wattoken migrate`"
        )
    done = {
        partition: facts.checkpoints[partition].next_offset
        if partition in facts.checkpoints
        else facts.begun.get(partition, start)
        for partition, start in facts.starts.items()
    }
    lost = sum(max(0, start - done[partition]) for partition, start in facts.starts.items())
    ahead = [partition for partition, end in facts.ends.items() if done[partition] > end]
    if lost:
        yield error(
            what,
            f"{lost:,} records were deleted before they were metered",
            "docs/runbook.md, 'Retention overtook the meter'",
        )
    if ahead:
        yield error(
            what,
            f"partitions {ahead[:5]} are metered beyond the log's end: it lost records",
            "docs/runbook.md, 'Checkpoint ahead of the log'",
        )
    lag = {partition: max(0, end - done[partition]) for partition, end in facts.ends.items()}
    yield _lag(facts, what, lag)


def _lag(facts: Progress, what: str, lag: Mapping[int, int]) -> Finding:
    waiting = [partition for partition, records in lag.items() if records]
    total = sum(lag.values())
    # The oldest that waits came no later than right after the newest that is metered.
    since_ms = max(
        (
            facts.now_ms - facts.checkpoints[partition].last_append_ms
            for partition in waiting
            if partition in facts.checkpoints
        ),
        default=0,
    )
    if not waiting:
        return ok(what, "metered to the log's end")
    found = f"{total:,} records wait in {len(waiting)} partitions, for {since_ms / 1000:,.0f} s"
    remedy = "docs/runbook.md, 'Lag is growing'"
    if facts.retention_ms != -1 and since_ms > DANGER_SHARE * facts.retention_ms:
        return error(what, f"{found}: the topic deletes them soon", remedy)
    if since_ms > LAG_SECONDS * 1000 or total > LAG_RECORDS:
        return warning(what, found, remedy)
    unmetered = [partition for partition in waiting if partition not in facts.checkpoints]
    if unmetered:
        return warning(
            what,
            f"{total:,} records wait; partitions {unmetered[:5]} were never metered",
            "is `wattoken aggregator` running? Its /readyz says what it waits for",
        )
    return ok(what, found)
