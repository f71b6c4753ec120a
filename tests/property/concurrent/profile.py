"""What a schedule is made of: each draws its own, so that rare faults are frequent in some.

A schedule has a theme, which is what most happens in it: what one bug needs would hardly ever meet
in a schedule where everything may happen.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.metering_rules import HOUR_MS, MINUTE_MS, MeteringRules
from services.aggregator.recovery import Keep
from tests.property.concurrent.choices import Choices, weighted_table

HORIZON_MS = 10_000
RULES = MeteringRules(
    too_old_ms=6 * HOUR_MS,
    too_new_ms=MINUTE_MS,
    late_after_ms=MINUTE_MS,
    dedup_horizon_ms=HORIZON_MS,
    minute_retention_ms=4 * HOUR_MS,
    hour_retention_ms=24 * HOUR_MS,
)
#: Whether writing ids to disk may fail, beside being cut off by a kill. Off until the store lives
#: with it: now it ends the worker, which hides all else.
DISKS_FAIL = False
IDS_UNLIMITED = 10_000
ROWS_UNLIMITED = 10_000
#: What happens beside the processes' own work, by theme, and how much of it.
WORK, APPEND = (160, "work"), (24, "append")
KILLED = (5, "kill")
THEMES: dict[str, tuple[tuple[int, str], ...]] = {
    "ids": (KILLED, (2, "rebalance"), (2, "change rules"), (1, "back up"), (1, "restore")),
    "look-ups": (
        *((2, "rebalance"), (3, "database away"), (1, "kill"), (2, "freeze")),
        *((2, "back up"), (1, "restore")),
    ),
    "rebalances": (
        *((4, "rebalance"), (3, "time out"), (4, "start a worker"), (3, "freeze"), (1, "kill")),
        *((2, "database away"), (1, "kafka away"), (1, "stop a worker"), (1, "marker")),
    ),
    "operations": (
        *((4, "back up"), (4, "restore"), (1, "make topic anew"), (2, "change rules")),
        *((2, "delete old records"), (2, "marker"), (1, "rebalance"), (1, "overtake")),
    ),
    "disks": (
        KILLED,
        (2, "fill a disk"),
        (2, "rebalance"),
        (2, "start a worker"),
        (1, "stop a worker"),
    ),
    "all": (
        *((2, "kill"), (2, "rebalance"), (2, "time out"), (2, "start a worker"), (2, "freeze")),
        *((1, "database away"), (1, "kafka away"), (1, "stop a worker"), (1, "marker")),
        *((1, "back up"), (1, "restore"), (1, "change rules"), (1, "delete old records")),
        (1, "fill a disk"),
    ),
}


@dataclass(frozen=True, slots=True)
class Profile:
    """How often what happens; rates are of 256."""

    theme: str
    steps: int
    partitions: int
    hosts: int
    identities: int
    keep: Keep
    pending_rows_max: int
    fault_rate: int
    kill_rate: int
    refusal_rate: int
    file_fault_rate: int
    step_through_rate: int
    late_answer_rate: int
    split_rate: int
    poison_rate: int
    skew_rate: int
    old_events: bool
    by_priority: bool
    #: What happens at a step, each as often as it stands here.
    events: list[str]
    replica_wait_seconds: float = 4.0


def draw_profile(choices: Choices) -> Profile:
    """Draw a schedule's nature; bytes of 0 give the tamest."""
    theme = choices.pick(list(THEMES))
    ids, disks, look_ups = theme == "ids", theme == "disks", theme == "look-ups"
    return Profile(
        theme=theme,
        steps=20 + choices.pick([0, 40, 80, 120, 180, 240]),
        partitions=1 if ids else choices.pick([1, 1, 2, 2, 3]),
        hosts=choices.pick([1, 1, 2]),
        identities=choices.pick([2, 3, 4, 6]),
        keep=Keep(
            minutes_ms=choices.pick([2 * MINUTE_MS, 0]),
            hours_ms=choices.pick([HOUR_MS, 0]),
            ids=choices.pick([1, 2, 3, 5] if ids or disks else [IDS_UNLIMITED, 2]),
        ),
        pending_rows_max=choices.pick([ROWS_UNLIMITED, ROWS_UNLIMITED, 3]),
        fault_rate=choices.pick([0, 0, 4, 10, 24]),
        kill_rate=choices.pick([0, 0, 2, 6]),
        refusal_rate=choices.pick([0, 0, 0, 4] if look_ups else [0, 0, 0, 0, 1]),
        file_fault_rate=choices.pick([0, 8, 40] if disks else [0, 0, 0, 8]),
        step_through_rate=choices.pick([0, 60, 200]),
        late_answer_rate=choices.pick([0, 60, 160]),
        split_rate=choices.pick([0, 0, 40]),
        poison_rate=choices.pick([0, 0, 20]),
        skew_rate=choices.pick([0, 20, 50] if ids else [0, 0, 0, 12]),
        old_events=look_ups or choices.pick([False, False, True]),
        by_priority=choices.pick([False, True]),
        events=weighted_table([WORK, APPEND, *THEMES[theme]]),
    )
