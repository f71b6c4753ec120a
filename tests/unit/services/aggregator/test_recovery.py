"""What a recovery asks, in which order, and when it stops instead of guessing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from schemas.measures import INPUT, MEASURES, OUTPUT
from schemas.metering_rules import MeteringRules
from services.aggregator.arrays.byte_spans import Words
from services.aggregator.arrays.cuts import Cut
from services.aggregator.arrays.key_index import Ints
from services.aggregator.core.dedup import IdsUnreadableError, Sightings
from services.aggregator.core.judging import Records
from services.aggregator.core.partition import Checkpoint, PartitionState
from services.aggregator.core.runs import BEFORE_INHERITED, INHERITED, Settled
from services.aggregator.core.series_limit import Admission
from services.aggregator.core.slices import FamilySlices, SliceRows
from services.aggregator.core.timing import RuleBook
from services.aggregator.core.windows import REGISTER
from services.aggregator.decoding.batch_mark import BatchMark
from services.aggregator.decoding.columns import Decoder
from services.aggregator.decoding.labels import Labels, Series
from services.aggregator.errors import (
    CheckpointAheadError,
    ContradictionError,
    DatabaseBehindError,
    EventsLostError,
    RulesMissingError,
)
from services.aggregator.recovery import (
    Beginning,
    Edges,
    Keep,
    rebuild_from,
    recover,
    registers,
)
from services.aggregator.succession.inheritance import Heir
from services.platform.errors import UnavailableError
from services.platform.kafka_log import Log

NOTHING = (
    SliceRows(np.empty(0, np.int64), np.empty((0, len(MEASURES)), np.int64)),
    np.empty(0, np.int64),
)


EVENT = (
    b'{"id":"id-1","source":"gateway","tenant":"acme","time":"%s","region":"eu",'
    b'"provider":"p","model":"m","input_tokens":1,"output_tokens":0}'
)


class Kafka:
    """`LogOffsets` of partition 0; notes what it is asked in `asked`."""

    def __init__(self, asked: list[str], start: int, end: int, committed: int | None) -> None:
        self.asked, self.start, self.end, self.commit = asked, start, end, committed
        self.found = 0

    def starts(self, partitions: Sequence[int]) -> dict[int, int]:
        self.asked.append("starts")
        return {0: self.start}

    def ends(self, partitions: Sequence[int]) -> dict[int, int]:
        self.asked.append("ends")
        return {0: self.end}

    def at(self, times_ms: Mapping[int, int]) -> dict[int, int]:
        self.asked.append("times")
        return dict.fromkeys(times_ms, self.found)

    def committed(self, partitions: Sequence[int]) -> dict[int, int]:
        self.asked.append("committed")
        return {} if self.commit is None else {0: self.commit}


class ClickHouse:
    """`ClickHouseSink` with one partition's checkpoint, no slices."""

    def __init__(self, asked: list[str], begin: int | None, checkpoint: Checkpoint | None) -> None:
        self.asked, self.begin, self.checkpoint = asked, begin, checkpoint
        self.contradiction: str | None = None
        self.admissions: dict[int, list[Admission]] = {}
        self.written_admissions: list[Admission] = []
        self.registers = NOTHING

    def read_rules(self, partitions: Sequence[int]) -> dict[int, RuleBook]:
        return {0: RuleBook(((0, MeteringRules()),))}

    def read_starts(self, partitions: Sequence[int]) -> dict[int, int]:
        return {} if self.begin is None else {0: self.begin}

    def read_checkpoints(self, partitions: Sequence[int]) -> dict[int, Checkpoint]:
        self.asked.append("checkpoints")
        return {} if self.checkpoint is None else {0: self.checkpoint}

    def find_contradiction(self, family: Any, partition: int, first_window: int) -> str | None:
        return self.contradiction

    def read_admissions(self, partitions: Sequence[int]) -> dict[int, list[Admission]]:
        return self.admissions

    def write_admissions(self, partition: int, admissions: Sequence[Admission]) -> None:
        self.written_admissions += admissions

    def read_slices(self, family: Any, partition: int, first_window: int) -> Any:
        return self.registers if family.name == "register" else NOTHING


class NoStore:
    """Runs on disk of which there are none, or that end somewhere."""

    closed = False
    lost = False

    def __init__(self) -> None:
        self.end: Cut | None = None
        self.kept: list[Sightings] = []
        self.starts: list[int] = []

    def open(self, partition: int, settled: Settled, start: int, copies: object = None) -> NoStore:
        self.starts.append(start)
        return self

    def last_seen(self, ids: Words, below: int) -> Ints:
        return np.full(len(ids), -1)

    def keep(self, sightings: Sightings) -> bool:
        self.kept.append(sightings)
        self.end = sightings.end
        return True

    def close(self) -> None:
        self.closed = True


class Ancestors:
    """The logs before, which ended at a log time."""

    def __init__(self, floor_ms: int) -> None:
        self.floor_ms = floor_ms
        self.entered: list[Mapping[int, Heir]] = []

    def enter(self, heirs: Mapping[int, Heir], abandoned: Callable[[], bool]) -> None:
        self.entered.append(heirs)
        assert not abandoned(), "nobody gave it up"
        for heir in heirs.values():
            heir.seen.see_all(IDS, np.full(len(IDS), self.floor_ms), 1)


IDS = np.array([(1, 2), (3, 4)], np.uint64)


class World:
    """A log and a database that may contradict each other."""

    def __init__(
        self,
        *,
        start: int = 0,
        end: int = 100,
        committed: int | None = None,
        begin: int | None = 0,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self.asked: list[str] = []
        self.kafka = Kafka(self.asked, start, end, committed)
        self.sink = ClickHouse(self.asked, begin, checkpoint)
        self.store = NoStore()
        self.inherited: Ancestors | None = None
        self.decoder = Decoder(Labels())

    def edges(self) -> Edges:
        return Edges(
            Log("cluster", "topic-id", "usage", 1),
            self.kafka,  # type: ignore[arg-type]
            self.store,  # type: ignore[arg-type]
            Keep(3_600_000, 3_600_000, 10),
            self.decoder,
            self.inherited,
        )

    def recover(self) -> PartitionState:
        return recover(self.edges(), self.sink, [0])[0]  # type: ignore[arg-type]


def metered(next_offset: int) -> Checkpoint:
    return Checkpoint(next_offset, 0, next_offset, next_offset, last_append_ms=1_000)


@pytest.mark.parametrize(("start", "read_next"), [(0, 49), (49, 49), (50, 50)])
def test_the_batch_before_the_checkpoint_has_to_be_met_again_if_it_is_there(
    start: int, read_next: int
) -> None:
    checkpoint = replace(metered(50), last_batch=BatchMark(40, 50, 7))
    world = World(start=start, checkpoint=checkpoint)
    world.store.end = Cut(50, 1_000)
    state = world.recover()
    assert (state.next_offset, state.read_next) == (50, read_next)


def test_a_worker_thought_dead_may_move_on_between_the_questions() -> None:
    """All that is asked only grows, so what must not be greater is asked first."""
    world = World(checkpoint=metered(50))
    world.recover()
    assert world.asked.index("starts") < world.asked.index("checkpoints")
    assert world.asked.index("committed") < world.asked.index("checkpoints")
    assert world.asked.index("checkpoints") < world.asked.index("ends")


@pytest.mark.parametrize(("begin", "start", "first"), [(0, 0, 0), (7, 5, 7)])
def test_a_partition_never_metered_begins_where_it_is_recorded(
    begin: int, start: int, first: int
) -> None:
    world = World(begin=begin, start=start)
    state = world.recover()
    assert state.checkpoint == Checkpoint(first, first)
    assert world.store.starts == [start], "of no log before it there is anything to read"
    assert state.written_offset == 0


def test_records_deleted_before_the_first_checkpoint_stop_it() -> None:
    with pytest.raises(EventsLostError, match=r"starts at 499, but only 0.*499 records"):
        World(begin=0, start=499).recover()


@pytest.mark.parametrize(
    ("world", "error", "said"),
    [
        (World(begin=None), RulesMissingError, "wattoken migrate"),
        (World(start=51, checkpoint=metered(50)), EventsLostError, "1 records"),
        (World(end=49, checkpoint=metered(50)), CheckpointAheadError, "ends at 49"),
        (World(committed=51, checkpoint=metered(50)), DatabaseBehindError, "committed 51"),
        (World(committed=1), DatabaseBehindError, "accept-restore"),
    ],
    ids=["no beginning", "lost", "ahead", "behind", "database from before the first checkpoint"],
)
def test_what_contradicts_itself_stops_it(world: World, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        world.recover()


@pytest.mark.parametrize(
    "world",
    [
        World(start=50, checkpoint=metered(50)),
        World(end=50, checkpoint=metered(50)),
        World(committed=50, checkpoint=metered(50)),
    ],
)
def test_level_is_no_contradiction(world: World) -> None:
    state = world.recover()
    assert (state.checkpoint.next_offset, state.written_offset) == (50, 50)


def test_two_rows_that_disagree_stop_it() -> None:
    world = World(checkpoint=metered(50))
    world.sink.contradiction = "model m, version 5"
    with pytest.raises(ContradictionError, match="model m, version 5"):
        world.recover()


def test_ids_are_read_again_from_the_horizon_on_and_never_beyond_the_checkpoint() -> None:
    world = World(start=10, checkpoint=metered(50))
    for found, read_from in ((30, 30), (5, 10), (70, 10), (-1, 10)):
        world.kafka.found = found
        assert world.recover().next_offset == read_from
    level = World(start=50, checkpoint=metered(50))
    assert level.recover().next_offset == 50
    assert "times" not in level.asked, "there is nothing to look for"


@pytest.mark.parametrize("found", [70, -1])
def test_ids_from_a_clock_behind_a_record_that_is_gone_are_read_again(found: int) -> None:
    """Retention deleted the record that log time comes from; all that is left is from behind."""
    last_ms, hour_ms = 1_773_576_000_000, 3_600_000
    checkpoint = Checkpoint(50, 0, received=50, accepted=50, last_append_ms=last_ms)
    world = World(start=10, checkpoint=checkpoint)
    world.kafka.found = found
    state = world.recover()
    for offset, append_ms in ((48, last_ms - 100 * hour_ms), (50, last_ms + hour_ms)):
        time = datetime.fromtimestamp(append_ms / 1000, UTC).isoformat()
        records = Records(np.array([offset]), np.array([append_ms]), [EVENT % time.encode()])
        state.fold(state.sift(records))
    snapshot = state.snapshot()
    assert snapshot is not None
    counted = snapshot.checkpoint
    assert (counted.received, counted.accepted, counted.duplicate) == (51, 50, 1)


#: Until when ids matter to a record at the checkpoint of `stored`.
PAST_MS = 1_773_576_000_000


def stored(end: Cut | None, *, start: int = 0) -> World:
    """Runs that end at a place; Kafka would find offset 33."""
    keep_ms = RuleBook(((0, MeteringRules()),)).keep_ms(50)
    world = World(start=start, checkpoint=replace(metered(50), last_append_ms=PAST_MS + keep_ms))
    world.store.end = end
    world.kafka.found = 33
    return world


@pytest.mark.parametrize("offset", [1, 40, 50])
def test_where_the_runs_end_reading_begins_and_kafka_is_not_asked(offset: int) -> None:
    world = stored(Cut(offset, PAST_MS), start=1)
    state = world.recover()
    assert state.next_offset == offset
    assert state.seen.written == Cut(offset, PAST_MS)
    assert world.store.starts == [1], "they are of use by what can be read"
    assert "times" not in world.asked
    # Log time goes on from there, though what is read next was appended earlier.
    state.sift(Records(np.array([60]), np.array([5]), [b"{"]))
    assert state._log_time.last_ms >= PAST_MS


@pytest.mark.parametrize(
    ("end", "start"), [(None, 0), (Cut(40, PAST_MS), 41)], ids=["none", "before the log"]
)
def test_without_runs_that_end_in_the_log_kafka_is_asked(end: Cut | None, start: int) -> None:
    world = stored(end, start=start)
    state = world.recover()
    assert state.next_offset == max(33, start)
    assert "times" in world.asked
    # All before it is past at this checkpoint: so the next run says.
    assert state.seen.written == Cut(max(33, start), PAST_MS)


def test_log_time_does_not_fall_behind_runs_whose_end_the_log_has_lost() -> None:
    state = stored(Cut(40, PAST_MS + 7), start=41).recover()
    assert state._log_time.last_ms == PAST_MS + 7


def test_ids_of_the_log_before_become_a_run_that_ends_where_this_log_is_read() -> None:
    world = stored(None)
    world.kafka.found = 0
    world.inherited = Ancestors(PAST_MS + 5)
    state = world.recover()
    assert world.store.starts == [BEFORE_INHERITED]
    [heirs] = world.inherited.entered
    assert (heirs[0].from_ms, heirs[0].memory_max) == (PAST_MS, 10)
    [run] = world.store.kept
    assert (run.begin, run.end) == (Cut(INHERITED, PAST_MS), Cut(0, PAST_MS + 5))
    assert len(run.ids) == len(IDS)
    assert (state.next_offset, state.seen.written) == (0, run.end)


def test_ids_of_the_log_before_that_the_disk_loses_are_entered_again() -> None:
    world = stored(None)
    world.kafka.found = 0
    world.inherited = Ancestors(PAST_MS + 5)

    def lost(*_: Any) -> None:
        raise IdsUnreadableError("a block of ids is damaged")

    world.inherited.enter = lost  # type: ignore[method-assign, assignment]
    with pytest.raises(UnavailableError, match="damaged"):
        world.recover()
    assert world.store.closed


@pytest.mark.parametrize(
    ("end", "floor_ms", "start"),
    [(Cut(40, PAST_MS + 9), PAST_MS + 5, BEFORE_INHERITED), (None, PAST_MS, 0)],
    ids=["on disk", "past"],
)
def test_what_is_on_disk_or_past_is_inherited_no_more(
    end: Cut | None, floor_ms: int, start: int
) -> None:
    world = stored(end)
    world.inherited = Ancestors(floor_ms)
    world.recover()
    assert world.inherited.entered == [{}]
    assert world.store.kept == []
    assert world.store.starts == [start], "runs of it are of use as long as it matters"


@pytest.mark.parametrize("found", [50, 70, -1])
def test_kafka_cannot_have_lost_what_was_never_deleted(found: int) -> None:
    """It says that nothing below the checkpoint is as young as the last of it: ask again."""
    world = World(start=0, checkpoint=metered(50))
    world.kafka.found = found
    with pytest.raises(UnavailableError, match=rf"below offset 50 .* {found}\), .* begins at 0"):
        world.recover()
    assert world.store.closed


def test_where_only_markers_came_there_is_nothing_to_find() -> None:
    world = World(start=0, checkpoint=Checkpoint(3, 0))
    world.kafka.found = 3
    assert world.recover().next_offset == 0


def test_stores_are_closed_where_a_recovery_fails() -> None:
    world = World(checkpoint=metered(50))
    world.kafka.at = None  # type: ignore[method-assign, assignment]
    with pytest.raises(TypeError):
        world.recover()
    assert world.store.closed


def test_registers_of_before_there_was_a_limit_are_admitted_and_written_down() -> None:
    """But not one that is ahead of the checkpoint: whoever reads on decides that again."""
    world = World(checkpoint=metered(50))
    number = world.decoder.labels.series.number
    used, unused, ahead, known = (number(Series("usage", "r", "p", m)) for m in "abcd")
    totals = np.zeros((4, len(MEASURES)), np.int64)
    totals[[0, 2, 3], MEASURES.index("output_tokens")] = 5
    keys = np.array([used, unused, ahead, known], np.int64)
    world.sink.registers = SliceRows(keys, totals), np.array([50, 7, 60, 50])
    world.sink.admissions = {0: [Admission(known, True, 3), Admission(ahead, True, 50)]}
    state = world.recover()
    assert world.sink.written_admissions == [Admission(used, True, 0), Admission(unused, False, 0)]
    kinds = state._series_limit._kinds
    assert [int(kinds[series]) for series in (used, unused, ahead, known)] == [2, 1, 0, 2]


def test_what_stays_in_memory_is_so_much_behind_the_newest_event() -> None:
    keep = Keep(minutes_ms=60_000, hours_ms=3_600_000, ids=1)
    assert keep.loaded_from_ms(10_000_000) == {
        **{"minute": 9_940_000, "hour": 6_400_000, "unit": 6_400_000}
    }
    assert set(keep.loaded_from_ms(59_999).values()) == {0}, "and all of it in the beginning"


@pytest.mark.parametrize(("sharing", "memory_max"), [(1, 10), (2, 5), (11, 1)])
def test_ids_of_the_log_before_share_the_memory_there_is(sharing: int, memory_max: int) -> None:
    """Of a log so young that all of it matters; each partition may have one id at least."""
    world = World(checkpoint=metered(50))
    world.inherited = Ancestors(2_000)
    edges = replace(world.edges(), inherited=world.inherited)
    recover(edges, world.sink, [0], sharing=sharing)  # type: ignore[arg-type]
    [heirs] = world.inherited.entered
    assert (heirs[0].from_ms, heirs[0].memory_max) == (0, memory_max)


def test_each_partition_begins_where_its_own_runs_end() -> None:
    """Kafka is asked for those only that have none, and have something to read."""
    asked: list[Mapping[int, int]] = []

    def at(times_ms: Mapping[int, int]) -> dict[int, int]:
        asked.append(times_ms)
        return dict.fromkeys(times_ms, 33)

    stores = {number: NoStore() for number in range(4)}
    stores[0].end, stores[3].end = Cut(40, PAST_MS), Cut(45, PAST_MS + 1)
    keep_ms = RuleBook(((0, MeteringRules()),)).keep_ms(50)
    checkpoint = replace(metered(50), last_append_ms=PAST_MS + keep_ms)
    found = rebuild_from(
        SimpleNamespace(at=at),  # type: ignore[arg-type]
        dict.fromkeys(range(4), checkpoint),
        dict.fromkeys(range(4), RuleBook(((0, MeteringRules()),))),
        {0: 0, 1: 0, 2: 50, 3: 0},
        stores,  # type: ignore[arg-type]
        0,
    )
    assert asked == [{1: PAST_MS}]
    assert found == {
        0: Beginning(40, PAST_MS),
        1: Beginning(33, PAST_MS),
        2: Beginning(50, 0),
        3: Beginning(45, PAST_MS + 1),
    }


def test_a_register_has_tokens_where_one_was_read_or_written() -> None:
    slices = FamilySlices(REGISTER, 0)
    totals = np.zeros((4, len(MEASURES)), np.int64)
    totals[1, INPUT] = totals[2, OUTPUT] = totals[3, MEASURES.index("requests")] = 1
    slices.load(np.arange(4), totals, np.zeros(4, np.int64), 0)
    assert dict(registers(slices)) == {0: False, 1: True, 2: True, 3: False}
