"""What a recovery asks, in which order, and when it stops instead of guessing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from schemas.measures import MEASURES
from schemas.metering_rules import MeteringRules
from services.aggregator.arrays.cuts import Cut
from services.aggregator.core.dedup import LONG_AGO, SeenIds, Sightings
from services.aggregator.core.judging import Records
from services.aggregator.core.partition import Checkpoint, PartitionState
from services.aggregator.core.series_limit import Admission
from services.aggregator.core.slices import SliceRows
from services.aggregator.core.timing import RuleBook
from services.aggregator.decoding.columns import Decoder
from services.aggregator.decoding.labels import Labels, Series
from services.aggregator.errors import (
    CheckpointAheadError,
    ContradictionError,
    DatabaseBehindError,
    EventsLostError,
    RulesMissingError,
)
from services.aggregator.recovery import Edges, Keep, heirs_of, recover
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
    """Ids on disk of which there are none."""

    complete_before_ms = 0
    complete_below = Cut()
    empty = True
    closed = False

    def __init__(self) -> None:
        self.kept: list[Sightings] = []

    def open(self, *_: Any) -> NoStore:
        return self

    def keep(self, sightings: Sightings) -> bool:
        self.kept.append(sightings)
        return True

    def forget(self, past_ms: int) -> None:
        """There is nothing."""

    def close(self) -> None:
        self.closed = True


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
        self.decoder = Decoder(Labels())

    def recover(self) -> PartitionState:
        edges = Edges(
            Log("cluster", "topic-id", "usage", 1),
            self.kafka,  # type: ignore[arg-type]
            self.store,  # type: ignore[arg-type]
            Keep(3_600_000, 3_600_000, 10),
            self.decoder,
        )
        return recover(edges, self.sink, [0])[0]  # type: ignore[arg-type]


def metered(next_offset: int) -> Checkpoint:
    return Checkpoint(next_offset, 0, next_offset, next_offset, last_append_ms=1_000)


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
    state = World(begin=begin, start=start).recover()
    assert state.checkpoint == Checkpoint(first, first)
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


def stored(complete: Cut, *, start: int = 0) -> World:
    """A store that is complete up to a place; Kafka would find offset 33."""
    keep_ms = RuleBook(((0, MeteringRules()),)).keep_ms(50)
    world = World(start=start, checkpoint=replace(metered(50), last_append_ms=PAST_MS + keep_ms))
    world.store.complete_below = complete
    world.kafka.found = 33
    return world


@pytest.mark.parametrize("offset", [1, 40, 50])
def test_where_the_store_ends_reading_begins_and_kafka_is_not_asked(offset: int) -> None:
    world = stored(Cut(offset, PAST_MS), start=1)
    state = world.recover()
    assert state.next_offset == offset
    assert "times" not in world.asked
    # Log time goes on from there, though what is read next was appended earlier.
    state.sift(Records(np.array([60]), np.array([5]), [b"{"]))
    assert state._log_time.last_ms >= PAST_MS


@pytest.mark.parametrize(
    ("complete", "start"),
    [(Cut(), 0), (Cut(40, PAST_MS - 1), 0), (Cut(40, PAST_MS), 41)],
    ids=["unknown", "before what matters", "before the log"],
)
def test_where_the_store_ends_elsewhere_kafka_is_asked(complete: Cut, start: int) -> None:
    world = stored(complete, start=start)
    assert world.recover().next_offset == max(33, start)
    assert "times" in world.asked


def test_what_the_store_says_of_times_is_held_back_where_an_offset_told() -> None:
    world = stored(Cut(40, PAST_MS + 1))
    state = world.recover()
    for number in range(3):
        time = datetime.fromtimestamp(PAST_MS / 1000, UTC).isoformat()
        value = (EVENT % time.encode()).replace(b'"id":"', b'"id":"%d-' % number)
        records = Records(np.array([40 + number]), np.array([PAST_MS - 1]), [value])
        state.fold(state.sift(records))
    state.spill(1, 10)
    [moved] = world.store.kept
    assert (len(moved.ids), moved.complete_before_ms) == (2, LONG_AGO)
    assert moved.complete_below == Cut(40, PAST_MS + 1)


def test_a_store_complete_below_an_offset_has_the_ids_of_the_log_before() -> None:
    checkpoints, rules = {0: metered(50), 1: metered(50)}, RuleBook(((0, MeteringRules()),))
    whole, empty = NoStore(), NoStore()
    whole.complete_below = Cut(1, 1)
    stores = {0: whole, 1: empty}
    seen = {number: SeenIds() for number in stores}
    heirs = heirs_of(checkpoints, {0: rules, 1: rules}, stores, seen, 10)  # type: ignore[arg-type]
    assert list(heirs) == [1]


def test_of_a_time_that_no_record_tells_the_store_is_told_nothing() -> None:
    """All that is left bears that time, and who looks for it later would find what comes after."""
    last_ms = 1_773_576_000_000
    checkpoint = Checkpoint(50, 0, received=50, accepted=50, last_append_ms=last_ms)
    world = World(start=10, checkpoint=checkpoint)
    world.kafka.found = -1
    state = world.recover()
    for number in range(3):
        append_ms = last_ms - 1_000 + number
        time = datetime.fromtimestamp(append_ms / 1000, UTC).isoformat()
        value = (EVENT % time.encode()).replace(b'"id":"', b'"id":"%d-' % number)
        records = Records(np.array([40 + number]), np.array([append_ms]), [value])
        state.fold(state.sift(records))
    state.spill(1, 10)
    [moved] = world.store.kept
    assert (len(moved.ids), moved.complete_before_ms) == (2, LONG_AGO)


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
    world.sink.admissions = {0: [Admission(known, True, 3), Admission(ahead, True, 55)]}
    state = world.recover()
    assert world.sink.written_admissions == [Admission(used, True, 0), Admission(unused, False, 0)]
    kinds = state._series_limit._kinds
    assert [int(kinds[series]) for series in (used, unused, ahead, known)] == [2, 1, 0, 2]
