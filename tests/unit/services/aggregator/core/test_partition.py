"""One partition, by hand: what counts, what does not, and what a flush is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from schemas.metering_rules import DAY_MS, HOUR_MS, MINUTE_MS, MeteringRules
from schemas.price_class import PriceClass
from services.aggregator.arrays.byte_spans import Words
from services.aggregator.arrays.cuts import Cut
from services.aggregator.arrays.key_index import Ints
from services.aggregator.core.dead_letters import PAYLOAD_BYTES_MAX
from services.aggregator.core.dedup import SeenIds, Sightings
from services.aggregator.core.judging import Records
from services.aggregator.core.log_time import CLOCK_STEP_MAX_MS
from services.aggregator.core.partition import Checkpoint, PartitionState, Snapshot
from services.aggregator.core.runs import Settled
from services.aggregator.core.slice_keys import unpack, varieties
from services.aggregator.core.slices import SliceRows, SliceStore
from services.aggregator.core.timing import RuleBook
from services.aggregator.core.windows import HOUR, UNIT, Family
from services.aggregator.decoding.columns import Decoder
from services.aggregator.decoding.labels import Labels, Unit
from tests.property.world import T0_MS, event

LABELS = Labels()
DECODER = Decoder(LABELS)
RULES = RuleBook(((0, MeteringRules()),))


def state(checkpoint: Checkpoint | None = None, read_from: int | None = None) -> PartitionState:
    checkpoint = checkpoint or Checkpoint(0, 0)
    start = checkpoint.next_offset if read_from is None else read_from
    return PartitionState(3, RULES, checkpoint, SliceStore({}), SeenIds(), start, DECODER)


def feed(partition: PartitionState, *values: bytes | None, append_ms: int = T0_MS) -> None:
    first = partition.next_offset
    partition.fold(partition.sift(records(first, values, append_ms)))


def records(first: int, values: Sequence[bytes | None], append_ms: int = T0_MS) -> Records:
    offsets = np.arange(first, first + len(values), dtype=np.int64)
    return Records(offsets, np.full(len(values), append_ms, np.int64), values)


def taken(partition: PartitionState) -> Snapshot:
    snapshot = partition.snapshot()
    assert snapshot is not None
    return snapshot


def sums(snapshot: Snapshot, family: str, measure: int = 2) -> int:
    return int(snapshot.rows[family].totals[:, measure].sum())


class Taken:
    """A store on disk that takes all and says nothing."""

    lost = False

    def __init__(self) -> None:
        self.runs: list[Sightings] = []

    @property
    def end(self) -> Cut | None:
        return self.runs[-1].end if self.runs else None

    def last_seen(self, ids: Words, below: int) -> Ints:
        return np.full(len(ids), -1)

    def keep(self, sightings: Sightings) -> bool:
        self.runs.append(sightings)
        return True

    def tidy(self, settled: Settled) -> bool:
        return False

    def close(self) -> None:
        """There is nothing."""


def with_store(checkpoint: Checkpoint, read_from: int, store: Taken) -> PartitionState:
    seen = SeenIds(store, Cut(read_from, 1))
    return PartitionState(3, RULES, checkpoint, SliceStore({}), seen, read_from, DECODER, 1)


def write(partition: PartitionState, sightings: Sightings | None) -> tuple[int, Cut, Cut]:
    """How many ids a run has, and of which stretch it is."""
    assert sightings is not None
    assert partition.seen.keep(sightings)
    return len(sightings.ids), sightings.begin, sightings.end


def test_a_run_is_of_what_was_seen_up_to_the_snapshot() -> None:
    """Though log time stands still, and batches come before it is written."""
    partition = with_store(Checkpoint(0, 0), 0, Taken())
    feed(partition, *(event(number, T0_MS, 1) for number in range(4)))
    snapshot, ids = taken(partition), partition.unwritten_ids()
    feed(partition, *(event(number, T0_MS, 1) for number in range(3, 6)))
    assert write(partition, ids) == (4, Cut(0, 1), Cut(4, T0_MS))
    partition.flushed(snapshot)
    assert write(partition, partition.unwritten_ids()) == (3, Cut(4, T0_MS), Cut(7, T0_MS))
    assert partition.unwritten_ids() is None


def test_ids_read_again_are_a_run_too() -> None:
    metered = Checkpoint(20, 0, 20, 20, last_append_ms=T0_MS)
    partition = with_store(metered, 10, Taken())
    feed(partition, *(event(number, T0_MS, 1) for number in range(3)))
    assert write(partition, partition.unwritten_ids()) == (3, Cut(10, 1), Cut(13, T0_MS))
    assert partition.snapshot() is None


def test_every_record_is_accounted_for() -> None:
    partition = state()
    late = T0_MS - 6 * MINUTE_MS
    feed(
        partition,
        event(1, T0_MS, 10),
        event(1, T0_MS, 10),
        event(2, late, 20),
        event(3, T0_MS - 35 * DAY_MS - 1, 40),
        event(4, T0_MS + 5 * MINUTE_MS + 1, 80),
        b"{",
        None,
        event(5, T0_MS, -1),
    )
    checkpoint = taken(partition).checkpoint
    assert (checkpoint.received, checkpoint.accepted, checkpoint.duplicate) == (8, 2, 1)
    assert checkpoint.late == 1
    assert dict(checkpoint.rejected) == {
        "too_old": 1,
        "too_new": 1,
        "invalid_json": 2,
        "invalid_event": 1,
    }
    assert checkpoint.next_offset == 8
    assert checkpoint.newest_event_ms == T0_MS


def test_all_families_get_the_same_tokens() -> None:
    partition = state()
    feed(partition, event(1, T0_MS, 10), event(2, T0_MS - MINUTE_MS, 20))
    snapshot = taken(partition)
    assert [sums(snapshot, name) for name in ("register", "minute", "hour")] == [30, 30, 30]
    assert len(snapshot.rows["minute"]) == 2


def test_measures_of_an_event() -> None:
    partition = state()
    feed(
        partition,
        event(
            1, T0_MS, 100, output_tokens=50, cache_read_input_tokens=30,
            cache_write_input_tokens=20, reasoning_output_tokens=40, status="error",
            quality="estimated",
        ),
    )  # fmt: skip
    [(_, totals)] = taken(partition).rows["register"].items()
    assert totals == (1, 1, 100, 30, 20, 50, 40, 150)


def test_an_adjustment_is_a_slice_of_its_own() -> None:
    partition = state()
    feed(
        partition,
        event(1, T0_MS, 10),
        event(3, T0_MS, 4, entry="credit", adjusts="id-1", reason="double booking"),
    )
    entries = {
        LABELS.series.meaning[key].entry: totals
        for key, totals in taken(partition).rows["register"].items()
    }
    assert entries["usage"][:3] == (1, 0, 10)
    assert entries["credit"][:3] == (1, 0, 4)


def test_refused_events_are_not_seen_and_count_when_sent_again() -> None:
    partition = state()
    early = event(1, T0_MS + 6 * MINUTE_MS, 10)
    feed(partition, early)
    feed(partition, early, append_ms=T0_MS + 6 * MINUTE_MS)
    assert taken(partition).checkpoint.accepted == 1


def test_below_the_checkpoint_only_ids_are_read() -> None:
    checkpoint = Checkpoint(2, 0, received=2, accepted=2, last_append_ms=T0_MS)
    partition = state(checkpoint, read_from=0)
    feed(partition, event(1, T0_MS, 10), b"{", event(1, T0_MS, 10), event(2, T0_MS, 20))
    snapshot = taken(partition)
    assert snapshot.checkpoint.received == 4
    assert (snapshot.checkpoint.accepted, snapshot.checkpoint.duplicate) == (3, 1)
    assert sums(snapshot, "register") == 20
    assert snapshot.dead_letters == []


def test_nothing_to_flush_while_rebuilding() -> None:
    partition = state(Checkpoint(5, 0, received=5, accepted=5), read_from=0)
    feed(partition, event(1, T0_MS, 10))
    assert partition.rebuilding
    assert partition.snapshot() is None


def test_records_read_already_are_passed_over() -> None:
    partition = state()
    values = [event(number, T0_MS, 1) for number in range(3)]
    feed(partition, *values)
    partition.fold(partition.sift(records(1, [*values[1:], event(9, T0_MS, 7)])))
    snapshot = taken(partition)
    assert snapshot.checkpoint.received == 4
    assert sums(snapshot, "register") == 10


def test_a_slice_holds_already_what_lies_below_its_version() -> None:
    partition = state()
    sifted = partition.sift(records(0, [event(1, T0_MS, 10), event(7, T0_MS, 20)]))
    for added in sifted.additions:
        held = SliceRows(added.keys[:1], added.measures[:1])
        partition.learn(added.family.name, added.keys[:1], held, np.array([1]))
    partition.fold(sifted)
    snapshot = taken(partition)
    assert {sums(snapshot, family) for family in ("register", "minute", "hour")} == {30}


def test_a_slice_that_does_not_exist_is_looked_up_once() -> None:
    partition = state()
    partition.slices.families["hour"].loaded_from = T0_MS
    old = event(1, T0_MS - 3 * 3_600_000, 10)
    asked = partition.unknown_slices(partition.sift(records(0, [old])))["hour"]
    nothing = SliceRows(asked[:0], np.zeros((0, 8), np.int64))
    partition.learn("hour", asked, nothing, asked[:0])
    assert "hour" not in partition.unknown_slices(partition.sift(records(0, [old])))


def test_log_time_is_taken_up_from_the_checkpoint() -> None:
    partition = state(Checkpoint(3, 7, received=7, accepted=7, last_append_ms=T0_MS + 30_000))
    feed(partition, event(1, T0_MS, 10), append_ms=T0_MS)
    assert taken(partition).checkpoint.last_append_ms == T0_MS + 30_000


def test_the_log_time_never_runs_backwards() -> None:
    partition = state()
    feed(partition, event(1, T0_MS, 1), append_ms=T0_MS)
    feed(partition, event(2, T0_MS, 1), append_ms=T0_MS - DAY_MS)
    assert taken(partition).checkpoint.last_append_ms == T0_MS


def test_a_dead_letter_keeps_the_beginning_and_the_length() -> None:
    partition = state()
    feed(partition, b"x" * (PAYLOAD_BYTES_MAX + 5))
    [letter] = taken(partition).dead_letters
    assert len(letter.payload) == PAYLOAD_BYTES_MAX
    assert letter.payload_bytes == PAYLOAD_BYTES_MAX + 5
    assert letter.reason == "invalid_json"


def test_families_past_retention_are_left_out() -> None:
    rules = MeteringRules(too_old_ms=500 * DAY_MS)
    partition = PartitionState(
        0, RuleBook(((0, rules),)), Checkpoint(0, 0), SliceStore({}), SeenIds(), 0, DECODER
    )
    feed(partition, event(1, T0_MS - 91 * DAY_MS, 10), event(2, T0_MS - 401 * DAY_MS, 5))
    snapshot = taken(partition)
    assert sums(snapshot, "register") == 15
    assert sums(snapshot, "hour") == 10
    assert len(snapshot.rows["minute"]) == 0


def test_reread_records_are_judged_by_their_own_append_time() -> None:
    # Found by the state machine: a batch across the checkpoint lent the checkpoint's time to the
    # records below it, which made one too old, so its id was not seen and its resend counted.
    limit_ms = 35 * DAY_MS
    edge = event(1, T0_MS - limit_ms, 10)
    checkpoint = Checkpoint(2, 0, received=2, accepted=2, last_append_ms=T0_MS + 1)
    partition = state(checkpoint, read_from=0)
    times = np.array([T0_MS, T0_MS + 1, T0_MS + 1], np.int64)
    values = [edge, event(2, T0_MS, 20), event(1, T0_MS, 10)]
    partition.fold(partition.sift(Records(np.arange(3, dtype=np.int64), times, values)))
    assert taken(partition).checkpoint.duplicate == 1


def test_a_reread_sighting_at_the_horizon_makes_no_duplicate() -> None:
    # A is read again for its id although its time ends exactly with the record after the
    # checkpoint: all three in one batch, it must not be taken for seen within that time.
    within_ms = DAY_MS + CLOCK_STEP_MAX_MS
    checkpoint = Checkpoint(2, 0, received=2, accepted=2, last_append_ms=T0_MS + within_ms - 1)
    partition = state(checkpoint, read_from=0)
    times = np.array([T0_MS, T0_MS + within_ms - 1, T0_MS + within_ms], np.int64)
    values = [event(1, T0_MS, 1), event(2, T0_MS, 1), event(1, T0_MS, 1)]
    partition.fold(partition.sift(Records(np.arange(3, dtype=np.int64), times, values)))
    assert taken(partition).checkpoint.duplicate == 0


def test_a_longer_horizon_counts_from_its_offset_whatever_the_batches() -> None:
    book = RuleBook(
        ((0, MeteringRules(dedup_horizon_ms=10)), (2, MeteringRules(dedup_horizon_ms=1000)))
    )
    apart_ms = CLOCK_STEP_MAX_MS + 500
    times = np.array([T0_MS, T0_MS + 5, T0_MS + 5 + apart_ms], np.int64)
    values = [event(1, T0_MS, 1), event(2, T0_MS, 1), event(2, T0_MS, 1)]
    whole = Records(np.arange(3, dtype=np.int64), times, values)
    counts = []
    for batches in ([whole], [whole.cut(0, 2), whole.cut(2, 3)]):
        partition = PartitionState(0, book, Checkpoint(0, 0), SliceStore({}), SeenIds(), 0, DECODER)
        for batch in batches:
            partition.fold(partition.sift(batch))
        counts.append(taken(partition).checkpoint.duplicate)
    assert counts == [1, 1]


def feed_at(partition: PartitionState, *records_at: tuple[int, bytes]) -> None:
    """One batch of records, each appended at a time after `T0_MS`."""
    first = partition.next_offset
    offsets = np.arange(first, first + len(records_at), dtype=np.int64)
    times = np.array([T0_MS + after_ms for after_ms, _ in records_at], np.int64)
    partition.fold(partition.sift(Records(offsets, times, [value for _, value in records_at])))


def test_after_a_clock_a_day_ahead_a_resend_is_a_duplicate() -> None:
    partition = state()
    feed_at(partition, (0, event(1, T0_MS, 1)))
    feed_at(partition, (DAY_MS, event(2, T0_MS, 1)))
    feed_at(partition, (1000, event(1, T0_MS, 1)), (1000, event(2, T0_MS, 1)))
    checkpoint = taken(partition).checkpoint
    assert (checkpoint.accepted, checkpoint.duplicate) == (2, 2)
    assert checkpoint.last_append_ms == T0_MS + DAY_MS


def test_a_worker_that_resumes_behind_the_step_decides_alike() -> None:
    whole = state()
    feed_at(whole, (0, event(1, T0_MS, 1)), (DAY_MS, event(2, T0_MS, 1)))
    resumed = state(taken(whole).checkpoint, read_from=0)
    feed_at(resumed, (0, event(1, T0_MS, 1)), (DAY_MS, event(2, T0_MS, 1)))
    feed_at(resumed, (1000, event(1, T0_MS, 1)), (1001, event(2, T0_MS, 1)))
    assert taken(resumed).checkpoint.duplicate == 2


def test_after_a_clock_far_ahead_events_are_neither_old_nor_late_nor_without_windows() -> None:
    partition = state()
    feed_at(partition, (500 * DAY_MS, b"{"))
    feed_at(partition, (1000, event(1, T0_MS, 10)))
    snapshot = taken(partition)
    assert (snapshot.checkpoint.accepted, snapshot.checkpoint.late) == (1, 0)
    assert [sums(snapshot, name) for name in ("register", "minute", "hour")] == [10, 10, 10]


def test_with_a_clock_behind_events_are_not_too_new() -> None:
    partition = state()
    feed_at(partition, (0, event(1, T0_MS, 1)), (-DAY_MS, event(2, T0_MS + 1000, 1)))
    assert taken(partition).checkpoint.accepted == 2


def test_under_a_clock_that_is_ahead_a_resend_is_a_duplicate() -> None:
    """At the resend itself nothing on the log says that the clock is wrong."""
    for ahead_ms in (DAY_MS, -DAY_MS, CLOCK_STEP_MAX_MS):
        partition = state()
        feed_at(partition, (0, event(1, T0_MS, 1)), (0, event(2, T0_MS, 1)))
        feed_at(partition, (ahead_ms + 1000, event(1, T0_MS, 1)))
        feed_at(partition, (2000, event(2, T0_MS, 1)), (3000, event(1, T0_MS, 1)))
        checkpoint = taken(partition).checkpoint
        assert (checkpoint.accepted, checkpoint.duplicate) == (2, 3)


def test_beyond_horizon_and_longest_step_an_id_counts_again() -> None:
    within_ms = DAY_MS + CLOCK_STEP_MAX_MS
    for after_ms, duplicate in ((within_ms - 1, 1), (within_ms, 0)):
        partition = state()
        feed_at(partition, (0, event(1, T0_MS, 1)), (after_ms, event(1, T0_MS, 1)))
        assert taken(partition).checkpoint.duplicate == duplicate


def test_a_raised_horizon_knows_what_was_seen_under_the_shorter_one() -> None:
    book = RuleBook(
        ((0, MeteringRules(dedup_horizon_ms=HOUR_MS)), (2, MeteringRules(dedup_horizon_ms=DAY_MS)))
    )
    partition = PartitionState(0, book, Checkpoint(0, 0), SliceStore({}), SeenIds(), 0, DECODER)
    feed_at(partition, (0, event(1, T0_MS, 1)), (2 * HOUR_MS, event(2, T0_MS, 1)))
    partition.flushed(taken(partition))
    feed_at(partition, (3 * HOUR_MS, event(1, T0_MS, 1)))
    assert taken(partition).checkpoint.duplicate == 1


def test_a_flush_forgets_by_its_checkpoint_and_not_by_what_was_read_since() -> None:
    partition = state()
    keep_ms = DAY_MS + CLOCK_STEP_MAX_MS
    feed_at(partition, (0, event(1, T0_MS, 1)))
    partition.unwritten_ids()
    feed_at(partition, (1, event(2, T0_MS, 1)))
    partition.unwritten_ids()
    feed_at(partition, (keep_ms, event(3, T0_MS, 1)))
    snapshot = taken(partition)
    feed_at(partition, (keep_ms + 1, event(4, T0_MS, 1)))
    assert len(partition.seen) == 4
    partition.flushed(snapshot)
    assert len(partition.seen) == 3


def named(snapshot: Snapshot, family: Family) -> dict[tuple[str, str, Any], tuple[int, ...]]:
    """The rows of a family with tenants, by tenant, model and variety."""
    rows = snapshot.rows[family.name]
    key = unpack(family, LABELS, rows.keys)
    assert key.tenants is not None and key.varieties is not None
    known = varieties(family, LABELS).meaning
    names = zip(key.tenants.tolist(), key.series.tolist(), key.varieties.tolist(), strict=True)
    return {
        (LABELS.tenants.meaning[tenant], LABELS.series.meaning[series].model, known[kind]): tuple(
            totals
        )
        for (tenant, series, kind), totals in zip(names, rows.totals.tolist(), strict=True)
    }


def tokens(snapshot: Snapshot) -> dict[PriceClass, int]:
    """Input tokens of the hours by price class."""
    return {kind: totals[2] for (_, _, kind), totals in named(snapshot, HOUR).items()}


def test_hours_are_kept_apart_by_price_class_and_nothing_else_is() -> None:
    partition = state()
    feed(
        partition,
        event(1, T0_MS, 10),
        event(7, T0_MS, 20, service_tier="batch"),
        event(13, T0_MS, 200_000, service_tier="batch"),
        event(19, T0_MS, 200_001),
        event(25, T0_MS, 5, service_tier="standard"),
        event(31, T0_MS, 7, service_tier="batch"),
    )
    snapshot = taken(partition)
    assert tokens(snapshot) == {
        PriceClass("", 0): 10,
        PriceClass("batch", 0): 27,
        # Of 200,000 tokens the threshold of 199,999 is exceeded, that of 200,000 is not.
        PriceClass("batch", 199_999): 200_000,
        PriceClass("", 200_000): 200_001,
        PriceClass("standard", 0): 5,
    }
    assert [len(snapshot.rows[family]) for family in ("register", "minute")] == [1, 1]
    assert sums(snapshot, "register") == 400_043


def test_bands_are_those_of_the_rules_in_force_at_the_events_offset() -> None:
    rules = RuleBook(
        (
            (0, MeteringRules(context_thresholds=())),
            (2, MeteringRules(context_thresholds=(5, 9))),
            (4, MeteringRules(context_thresholds=(7,))),
        )
    )
    partition = PartitionState(0, rules, Checkpoint(0, 0), SliceStore({}), SeenIds(), 0, DECODER)
    feed(partition, *(event(1 + 6 * number, T0_MS, 10) for number in range(3)))
    feed(partition, *(event(31 + 6 * number, T0_MS, 10) for number in range(2)))
    assert tokens(taken(partition)) == {
        PriceClass("", 0): 20,
        PriceClass("", 9): 20,
        PriceClass("", 7): 10,
    }


def test_units_have_rows_of_their_own_where_something_was_used() -> None:
    partition = state()
    feed(
        partition,
        event(1, T0_MS, 10, web_searches=2, pages=0),
        event(7, T0_MS, 10, web_searches=3, images=1, service_tier="batch"),
        event(7, T0_MS, 10, web_searches=3),
        event(2, T0_MS, 10, images=4),
        event(3, T0_MS, 10, entry="credit", adjusts="id-1", reason="refunded", web_searches=1),
    )
    snapshot = taken(partition)
    assert named(snapshot, UNIT) == {
        ("tenant-1", "m-1", Unit("web_searches")): (5,),
        ("tenant-1", "m-1", Unit("images")): (1,),
        ("tenant-0", "m-2", Unit("images")): (4,),
        ("tenant-1", "m-0", Unit("web_searches")): (1,),
    }
    assert snapshot.row_count == sum(map(len, snapshot.rows.values())) + 3 + 1, (
        "and what is admitted, and the credit as it was"
    )


def test_what_counts_for_other_keeps_its_units_and_loses_its_class() -> None:
    rules = MeteringRules(series_max=1, unused_series_max=1)
    partition = PartitionState(
        0, RuleBook(((0, rules),)), Checkpoint(0, 0), SliceStore({}), SeenIds(), 0, DECODER
    )
    feed(
        partition,
        event(1, T0_MS, 40_000, service_tier="batch"),
        event(2, T0_MS, 40_000, service_tier="batch", pages=2),
    )
    snapshot = taken(partition)
    assert {
        (model, kind): total[2] for (_, model, kind), total in named(snapshot, HOUR).items()
    } == {
        ("m-1", PriceClass("batch", 32_000)): 40_000,
        ("other", PriceClass("", 0)): 40_000,
    }
    assert named(snapshot, UNIT) == {("tenant-0", "other", Unit("pages")): (2,)}


def test_a_series_of_which_only_units_were_used_is_a_used_one() -> None:
    rules = MeteringRules(series_max=5, unused_series_max=1)
    partition = PartitionState(
        0, RuleBook(((0, rules),)), Checkpoint(0, 0), SliceStore({}), SeenIds(), 0, DECODER
    )
    feed(partition, event(0, T0_MS, 0), event(1, T0_MS, 0, images=1), event(2, T0_MS, 0, images=1))
    snapshot = taken(partition)
    assert sorted(model for _, model, _ in named(snapshot, HOUR)) == ["m-0", "m-1", "m-2"]
    assert [one.used for one in snapshot.admissions] == [False, True, True]


def test_units_past_the_retention_of_hours_are_left_out() -> None:
    rules = MeteringRules(too_old_ms=500 * DAY_MS)
    partition = PartitionState(
        0, RuleBook(((0, rules),)), Checkpoint(0, 0), SliceStore({}), SeenIds(), 0, DECODER
    )
    feed(
        partition,
        event(1, T0_MS - 401 * DAY_MS, 10, pages=1),
        event(2, T0_MS - 399 * DAY_MS, 10, pages=2),
    )
    assert named(taken(partition), UNIT) == {("tenant-0", "m-2", Unit("pages")): (2,)}


def test_a_partition_that_was_never_metered_has_counted_nothing() -> None:
    assert Checkpoint(5, 7) == Checkpoint(5, 7, 0, 0, 0, 0, (), 0, 0)
    partition = state()
    assert (partition.written_offset, partition.rebuilding) == (0, False)
    assert (partition.pending_rows, partition.held_bytes) == (0, 0)


def test_reading_begins_at_the_checkpoint_or_below_it() -> None:
    """What lies between would be counted by nobody."""
    metered = Checkpoint(5, 0, received=5, accepted=5)
    assert not state(metered, read_from=5).rebuilding
    assert state(metered, read_from=4).rebuilding
    with pytest.raises(ValueError, match="at or below the checkpoint"):
        state(metered, read_from=6)


CREDIT: dict[str, Any] = {"entry": "credit", "adjusts": "id-1", "reason": "broke off"}


def test_every_row_that_a_snapshot_holds_is_counted_before_and_in_it() -> None:
    """By it reading pauses, and by its bytes: of each kind there are more than one."""
    partition = state()
    feed(partition, b"[", b"[", event(1, T0_MS, 1, **CREDIT), event(2, T0_MS, 1, **CREDIT), b"[")
    held = partition.held_bytes
    feed(partition, event(3, T0_MS, 1, **CREDIT))
    credit = partition.held_bytes - held
    feed(partition, b"[")
    letter = partition.held_bytes - held - credit
    assert partition.held_bytes == 3 * credit + 4 * letter > 3 * credit > 0
    rows = partition.pending_rows
    snapshot = taken(partition)
    slices = sum(map(len, snapshot.rows.values()))
    kinds = len(snapshot.dead_letters), len(snapshot.adjustments), len(snapshot.admissions)
    assert kinds == (4, 3, 3)
    assert rows == snapshot.row_count == slices + 10
    assert (partition.pending_rows, partition.held_bytes) == (0, 0)


def test_a_batch_that_was_read_already_changes_nothing() -> None:
    partition = state()
    values = [event(number, T0_MS, 1) for number in range(3)]
    feed(partition, *values)
    sifted = partition.sift(records(0, values))
    assert (sifted.next_offset, sifted.additions) == (3, [])
    partition.fold(sifted)
    assert taken(partition).checkpoint.received == 3


def test_old_windows_are_asked_for_whatever_rules_were_in_force() -> None:
    """A batch across a change of rules has additions of both."""
    book = RuleBook(((0, MeteringRules()), (1, MeteringRules(context_thresholds=()))))
    partition = PartitionState(
        *(0, book, Checkpoint(0, 0), SliceStore({"minute": T0_MS + HOUR_MS}), SeenIds(), 0, DECODER)
    )
    first, second = event(1, T0_MS, 1), event(2, T0_MS + MINUTE_MS, 1)
    sifted = partition.sift(records(0, [first, second, second]))
    assert {name: len(keys) for name, keys in partition.unknown_slices(sifted).items()} == {
        "minute": 2
    }


def test_a_slice_that_was_ahead_is_level_once_the_reader_is_there() -> None:
    """By records, or by what lies behind them: then none of its events is asked about again."""
    for by_markers in (False, True):
        partition = state()
        register = partition.slices.families["register"]
        keys = np.array([LABELS.series.number(LABELS.series.meaning[0])], np.int64)
        register.load(keys, np.ones((1, 8), np.int64), np.array([2]), 0)
        feed(partition, event(1, T0_MS, 1))
        assert register.missing(keys, np.array([1])) is not None
        if by_markers:
            partition.pass_over(2)
        else:
            feed(partition, event(2, T0_MS, 1))
        assert register.missing(keys, np.array([2])) is None
        partition.pass_over(1)
        assert partition.next_offset == 2, "and it never goes back"
