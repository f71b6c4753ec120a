"""What a schedule is made of: each draws its own, so that rare faults are frequent in some.

A schedule has a theme, which is what most happens in it: what one bug needs would hardly ever meet
in a schedule where everything may happen.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.metering_rules import HOUR_MS, MINUTE_MS, MeteringRules
from services.aggregator.recovery import Keep
from tests.property.concurrent.choices import Choices, weighted_table
from tests.property.concurrent.oracle import CLOCK_STEP_MS

HORIZON_MS = 10_000
#: So long an id makes duplicates.
WITHIN_MS = HORIZON_MS + CLOCK_STEP_MS
RULES = MeteringRules(
    too_old_ms=6 * HOUR_MS,
    too_new_ms=MINUTE_MS,
    late_after_ms=MINUTE_MS,
    dedup_horizon_ms=HORIZON_MS,
    minute_retention_ms=4 * HOUR_MS,
    hour_retention_ms=24 * HOUR_MS,
    context_thresholds=(1,),
)
IDS_UNLIMITED = 10_000
ROWS_UNLIMITED = 10_000
#: What happens beside the processes' own work, by theme, and how much of it.
WORK, APPEND = (160, "work"), (24, "append")
THEMES: dict[str, dict[str, int]] = {
    "ids": {
        "kill": 3,
        "kill beyond a run": 5,
        "rebalance": 2,
        "change rules": 2,
        "back up": 4,
        "restore": 4,
    },
    "look-ups": {
        "rebalance": 1,
        "database away": 1,
        "delay a call": 8,
        "append": 12,
        "cross a look up": 12,
        "back up": 3,
        "restore": 3,
        "come to rest": 1,
    },
    "rebalances": {
        "rebalance": 8,
        "time out": 3,
        "start a worker": 4,
        "freeze": 3,
        "kill": 1,
        "database away": 2,
        "kafka away": 1,
        "stop a worker": 1,
        "marker": 1,
        "come to rest": 2,
        "rest behind a loss": 24,
        "delay a call": 6,
    },
    "zombies": {
        "replace workers": 5,
        "time out": 1,
        "freeze in a call": 4,
        "append": 16,
        "overtake a recovery": 12,
        "delay a call": 6,
        "kill": 1,
    },
    "operations": {
        "back up": 3,
        "restore": 3,
        "change rules": 4,
        "delete old records": 4,
        "marker": 2,
        "rebalance": 1,
        "overtake": 1,
    },
    "rules": {
        "change rules": 8,
        "kill": 3,
        "rebalance": 2,
        "marker": 1,
    },
    "topics": {
        "recreate topic": 2,
        "add partitions": 8,
        "rest for long": 2,
        "rebalance": 2,
        "kill": 2,
        "start a worker": 1,
        "marker": 1,
        "back up": 1,
        "restore": 1,
        "delay a call": 4,
        "come to rest": 1,
    },
    "disks": {
        "kill": 3,
        "fill a disk": 3,
        "delete ids": 1,
        "rebalance": 2,
        "start a worker": 2,
        "stop a worker": 1,
    },
    "copies": {
        "kill": 3,
        "kill beyond a run": 2,
        "rebalance": 3,
        "delete ids": 4,
        "start a worker": 2,
        "stop a worker": 1,
        "time out": 1,
        "freeze": 1,
        "database away": 1,
        "back up": 2,
        "restore": 2,
        "delete copied records": 6,
    },
    "all": {
        "kill": 2,
        "rebalance": 2,
        "time out": 2,
        "start a worker": 2,
        "freeze": 2,
        "database away": 1,
        "kafka away": 1,
        "stop a worker": 1,
        "marker": 1,
        "back up": 1,
        "restore": 1,
        "change rules": 1,
        "delete old records": 1,
        "fill a disk": 1,
        "delete ids": 1,
        "come to rest": 1,
        "delay a call": 4,
    },
}
WITHOUT_COPIES = [theme for theme in THEMES if theme != "copies"]
#: The first byte of a schedule with copies of runs; the others share out what is left.
COPIES_BYTE = 255
#: Of how many identities events are; of few in themes that are not here.
IDENTITIES = {
    "look-ups": [6, 40, 200],
    "ids": [3, 4, 6, 12, 40],
    "rules": [6, 12, 40],
    "operations": [3, 40, 200],
    "copies": [3, 4, 6, 12, 40],
}
#: How long after the last record the next is appended; some around the end of
#: the stretch in which an id makes duplicates.
PAUSES_MS = (0, 0, 1, 1, 500, 500, 3000, WITHIN_MS - 1, WITHIN_MS, WITHIN_MS + 1)
#: The clock hardly moves: many records at one log time, before and beyond a checkpoint.
STANDING_MS = (0, 0, 0, 0, 1)
#: To the millisecond where ids begin to be forgotten, also by a clock that is behind.
EDGES_MS = (0, 0, 0, 1, CLOCK_STEP_MS, HORIZON_MS - 1, HORIZON_MS, WITHIN_MS - 1, WITHIN_MS)
#: Steps of the clock beyond which an event is forgotten are common.
LONG_MS = (0, 1, 3000, WITHIN_MS - 1, 2 * HORIZON_MS, 2 * HORIZON_MS)
#: Minutes go by, so windows become old while look-ups are under way.
MINUTES_MS = (0, 0, 0, 1, MINUTE_MS // 2, MINUTE_MS, MINUTE_MS, 3 * MINUTE_MS)
#: Which pauses there are, by theme; of all kinds in those that are not here.
PAUSES_OF: dict[str, list[tuple[int, ...]]] = {
    "look-ups": [MINUTES_MS, MINUTES_MS, STANDING_MS],
    "ids": [PAUSES_MS, STANDING_MS, LONG_MS, STANDING_MS, EDGES_MS],
    "rules": [PAUSES_MS, LONG_MS, EDGES_MS],
    "copies": [PAUSES_MS, STANDING_MS, LONG_MS, EDGES_MS],
}
#: How old an event is when it is appended: fresh; late for the minutes, late for the hours, at and
#: beyond the limits; or mostly so late that its windows have to be looked up.
FRESH_MS = (0,)
AGES_MS = (
    *(0, 0, 0, 3 * MINUTE_MS, 4 * MINUTE_MS, 6 * MINUTE_MS, 2 * HOUR_MS, 3 * HOUR_MS),
    *(5 * HOUR_MS, 6 * HOUR_MS, 6 * HOUR_MS + 1, -MINUTE_MS, -MINUTE_MS - 1),
)
OLD_MS = (
    *(0, 0, *(minutes * MINUTE_MS for minutes in range(1, 9))),
    *(2 * HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS),
)
#: Themes in which answers often come late.
LATE = ("look-ups", "topics", "rebalances")
#: Which ages, likewise.
AGES_OF: dict[str, list[tuple[int, ...]]] = {"look-ups": [OLD_MS], "operations": [AGES_MS]}


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
    read_fault_rate: int
    step_through_rate: int
    late_answer_rate: int
    split_rate: int
    poison_rate: int
    skew_rate: int
    #: How old events may be when they are appended.
    ages_ms: tuple[int, ...]
    by_priority: bool
    #: Whether a flush or a commit comes as soon as anything else, and does not wait for its time.
    eager: bool
    pauses_ms: tuple[int, ...]
    #: How long partitions that are given away are waited for.
    last_flush_seconds: float
    #: How many runs of ids are merged at once, and at how many ids in memory reading pauses.
    fan_in: int
    ids_max_least: int
    #: What happens at a step, each as often as it stands here.
    events: list[str]
    replica_wait_seconds: float = 4.0

    @property
    def copies(self) -> bool:
        """Whether runs of ids are copied."""
        return self.theme == "copies"


def byte_of(theme: str) -> int:
    """The first byte of a schedule of a theme."""
    return COPIES_BYTE if theme == "copies" else WITHOUT_COPIES.index(theme)


def draw_profile(choices: Choices) -> Profile:
    """Draw a schedule's nature; bytes of 0 give the tamest."""
    byte = choices.byte()
    theme = "copies" if byte == COPIES_BYTE else WITHOUT_COPIES[byte % len(WITHOUT_COPIES)]
    ids, disks, look_ups = theme in ("ids", "copies"), theme == "disks", theme == "look-ups"
    zombies, operations = theme == "zombies", theme == "operations"
    return Profile(
        theme=theme,
        steps=40 + choices.pick([0, 80, 160, 240, 320, 400]),
        partitions=1 if ids or zombies else choices.pick([1, 1, 2, 2, 3]),
        hosts=choices.pick([1, 1, 2]),
        identities=choices.pick(IDENTITIES.get(theme, [2, 3, 4, 6, 40])),
        keep=Keep(
            minutes_ms=0 if look_ups else choices.pick([2 * MINUTE_MS, 0]),
            hours_ms=choices.pick([HOUR_MS, 0]),
            ids=choices.pick([1, 2, 3, 5] if ids or disks else [IDS_UNLIMITED, 2, 1]),
        ),
        pending_rows_max=choices.pick([ROWS_UNLIMITED, ROWS_UNLIMITED, 3]),
        fault_rate=choices.pick([0, 0, 4, 10, 24]),
        kill_rate=choices.pick([0, 0, 2, 6]),
        refusal_rate=choices.pick([0, 0, 4, 12] if look_ups else [0, 0, 0, 0, 1]),
        file_fault_rate=choices.pick([0, 8, 40] if disks else [0, 0, 0, 8]),
        read_fault_rate=choices.pick([0, 12, 60] if disks else [0, 0, 0, 2]),
        step_through_rate=200 if zombies else choices.pick([0, 40] if look_ups else [0, 60, 200]),
        late_answer_rate=160 if theme in LATE else choices.pick([0, 60, 160]),
        split_rate=choices.pick([0, 0, 40]),
        poison_rate=choices.pick([0, 0, 20]),
        skew_rate=choices.pick([0, 20, 50] if ids or operations else [0, 0, 12]),
        ages_ms=choices.pick(AGES_OF.get(theme, [FRESH_MS, FRESH_MS, AGES_MS])),
        by_priority=choices.pick([False, True]),
        eager=choices.pick([False, True]),
        pauses_ms=choices.pick(PAUSES_OF.get(theme, [PAUSES_MS, PAUSES_MS, LONG_MS, STANDING_MS])),
        last_flush_seconds=choices.pick([20.0, 0.5, 0.05]),
        fan_in=choices.pick([8, 2, 3]),
        ids_max_least=choices.pick([200_000, 6, 12]),
        events=weighted_table(
            [WORK, APPEND, *((often, what) for what, often in THEMES[theme].items())]
        ),
    )
