"""What is said of a meter that is behind, and of one that lost something."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.operate.doctor.finding import Level
from services.operate.doctor.judging.metering import Checkpoint, Progress, judge

NOW_MS = 1_000_000_000
WELL = Progress(
    topic="usage",
    starts={0: 0, 1: 50},
    ends={0: 100, 1: 90},
    checkpoints={0: Checkpoint(100, NOW_MS - 500), 1: Checkpoint(90, NOW_MS - 500)},
    begun={0: 0, 1: 0},
    with_rules=frozenset({0, 1}),
    retention_ms=7 * 86_400_000,
    now_ms=NOW_MS,
)


def found(facts: Progress) -> list[tuple[Level, str]]:
    return [(one.level, one.found) for one in judge(facts)]


def test_all_metered_is_well() -> None:
    assert found(WELL) == [(Level.OK, "metered to the log's end")]


def test_a_little_behind_is_well() -> None:
    assert found(replace(WELL, ends={0: 130, 1: 90}))[0][0] is Level.OK


@pytest.mark.parametrize(
    ("checkpoint", "ends", "level"),
    [
        (Checkpoint(100, NOW_MS - 500), {0: 10_101, 1: 90}, Level.WARNING),
        (Checkpoint(100, NOW_MS - 601_000), {0: 101, 1: 90}, Level.WARNING),
        (Checkpoint(100, NOW_MS - 4 * 86_400_000), {0: 101, 1: 90}, Level.ERROR),
    ],
)
def test_a_lag_is_told_by_records_and_by_age(
    checkpoint: Checkpoint, ends: dict[int, int], level: Level
) -> None:
    facts = replace(WELL, ends=ends, checkpoints={**WELL.checkpoints, 0: checkpoint})
    assert found(facts)[-1][0] is level


def test_records_that_were_deleted_unmetered_are_counted() -> None:
    behind = {**WELL.checkpoints, 1: Checkpoint(30, NOW_MS)}
    assert (Level.ERROR, "20 records were deleted before they were metered") in found(
        replace(WELL, checkpoints=behind)
    )


def test_a_partition_that_nobody_metered_yet_lost_nothing_while_all_is_there() -> None:
    begun = replace(WELL, checkpoints={1: WELL.checkpoints[1]})
    ((level, text),) = found(begun)
    assert level is Level.WARNING
    assert "partitions [0] were never metered" in text
    lost = replace(WELL, checkpoints={0: WELL.checkpoints[0]})
    assert found(lost)[0] == (Level.ERROR, "50 records were deleted before they were metered")


def test_a_checkpoint_beyond_the_log_is_told() -> None:
    assert "beyond the log's end" in found(replace(WELL, ends={0: 99, 1: 90}))[0][1]


def test_partitions_without_rules_are_told() -> None:
    assert found(replace(WELL, with_rules=frozenset({0})))[0] == (
        Level.ERROR,
        "partitions [1] have no metering rules",
    )
