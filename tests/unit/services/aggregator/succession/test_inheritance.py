"""The ids of a predecessor reach the partitions that their keys lead to by now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest
from confluent_kafka import murmur2
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.identity import identity_hash
from schemas.metering_rules import DAY_MS, MeteringRules
from services.aggregator.arrays.cuts import Cut
from services.aggregator.arrays.frames import frames_of, optional_frames_of
from services.aggregator.core.dedup import SeenIds
from services.aggregator.core.runs import BEFORE_INHERITED, INHERITED, Settled
from services.aggregator.core.timing import RuleBook
from services.aggregator.decoding.columns import Decoder
from services.aggregator.decoding.labels import Labels
from services.aggregator.kafka.predecessor_reader import Block
from services.aggregator.succession.inheritance import (
    TAKEN_BYTES_MAX,
    Ancestor,
    Heir,
    Reading,
    reading_start,
)
from services.platform.errors import UnavailableError
from services.platform.kafka_log import Log
from services.platform.succession import Stretch, Succession
from tests.property.world import T0_MS, ModelStore, ModelStores, event

OLD, NEW = 3, 5
HORIZON_MS = 1_000
EVENTS = 8
RULES = RuleBook(((0, MeteringRules(dedup_horizon_ms=HORIZON_MS)),))
DECODER = Decoder(Labels())


def key_of(number: int) -> bytes:
    return identity_hash(f"tenant-{number % 2}", "gateway", f"id-{number}")


def value_of(number: int, *, age_ms: int = 0) -> bytes:
    return event(number, T0_MS - age_ms, 10)


def owner_of(number: int) -> int:
    return int(murmur2(key_of(number), NEW))


@dataclass(slots=True)
class OldLog:
    """The predecessor: append time, key and value of what its partitions hold, in order."""

    records: dict[int, list[tuple[int, bytes | None, bytes | None]]] = field(
        default_factory=lambda: {at: [] for at in range(OLD)}
    )

    def append(self, at: int, append_ms: int, key: bytes | None, value: bytes | None) -> None:
        self.records[at].append((append_ms, key, value))

    def block(self, at: int, first: int, last: int) -> Block:
        records = self.records[at][first:last]
        return Block(
            np.arange(first, first + len(records)),
            np.array([append_ms for append_ms, _, _ in records], np.int64),
            optional_frames_of([key for _, key, _ in records]),
            optional_frames_of([value for _, _, value in records]),
        )


def ancestor(last_append_ms: int, floor_ms: int = 0) -> Ancestor:
    ends = tuple(Stretch(0, 1_000) for _ in range(OLD))
    return Ancestor(
        Succession("c/new", "new", NEW, "c/old", "old", ends),
        Log("c", "old", "old", OLD),
        dict.fromkeys(range(OLD), RULES),
        floor_ms,
        dict.fromkeys(range(OLD), last_append_ms),
    )


def inherit(
    log: OldLog, heirs: Mapping[int, Heir], last_ms: int, pieces: list[int], floor_ms: int = 0
) -> None:
    """Read the log in pieces of these sizes, from its partitions in turn.

    The first of them is also how many records are decoded together.
    """
    starts = dict.fromkeys(range(OLD), 0)
    reading = Reading(ancestor(last_ms, floor_ms), heirs, NEW, starts, pieces[0])
    done = dict.fromkeys(range(OLD), 0)
    turn = 0
    while any(done[at] < len(log.records[at]) for at in done):
        at, size = turn % OLD, pieces[turn % len(pieces)]
        turn += 1
        block = log.block(at, done[at], done[at] + size)
        if len(block):
            reading.take(at, block)
            done[at] += len(block)
        reading.hand_on({at for at in done if done[at] == len(log.records[at])})
    reading.hand_on(set(done))


def is_duplicate(heirs: Mapping[int, Heir], number: int, append_ms: int) -> bool:
    """Whether the partition that it goes to now takes an event for a resend."""
    decoded = DECODER.decode(frames_of([value_of(number)]))
    seen = heirs[owner_of(number)].seen
    now_ms = np.array([append_ms])
    [answer] = seen.see_all(decoded.identities, now_ms, HORIZON_MS)
    return bool(answer)


def fresh(from_ms: int = 0, *, memory_max: int = 1 << 62) -> dict[int, Heir]:
    """Heirs for all partitions, each with a store of its own."""
    begin = Cut(INHERITED, from_ms)
    return {
        at: Heir(SeenIds(ModelStore(ModelStores(), f"log-{at}"), begin), from_ms, memory_max)
        for at in range(NEW)
    }


#: Partition, how long after the record before it anywhere, event, and what is odd about it.
RECORDS = st.lists(
    st.tuples(
        st.integers(0, OLD - 1),
        st.sampled_from([0, 0, 1, 300, 999, 1000]),
        st.integers(0, EVENTS - 1),
        st.sampled_from(["", "", "", "no key", "too old", "poison"]),
    ),
    max_size=40,
)
PIECES = st.lists(st.integers(1, 6), min_size=1, max_size=5)


@settings(deadline=None)
@given(RECORDS, PIECES, st.booleans(), st.integers(0, 4_000))
def test_an_id_is_known_where_its_resend_lands_for_a_horizon(
    records: list[tuple[int, int, int, str]], pieces: list[int], on_disk: bool, from_ms: int
) -> None:
    log, now_ms, from_ms = OldLog(), T0_MS, T0_MS + from_ms
    last: dict[int, int] = {}
    for at, gap_ms, number, oddity in records:
        now_ms += gap_ms
        age_ms = 35 * DAY_MS + 10_000 if oddity == "too old" else 0
        value = b"{" if oddity == "poison" else value_of(number, age_ms=age_ms)
        log.append(at, now_ms, None if oddity == "no key" else key_of(number), value)
        # What is refused is not seen.
        if oddity in ("", "no key") and now_ms >= from_ms:
            last[number] = now_ms
    for after_ms in (HORIZON_MS - 1, HORIZON_MS):
        heirs = fresh(from_ms, memory_max=1 if on_disk else 1 << 62)
        inherit(log, heirs, now_ms, pieces)
        for number in sorted(range(EVENTS), key=lambda number: last.get(number, 0)):
            resent_ms = max(last.get(number, 0), now_ms - HORIZON_MS) + after_ms
            expected = number in last and resent_ms - last[number] < HORIZON_MS
            assert is_duplicate(heirs, number, resent_ms) == expected, number


def test_only_those_who_inherit_are_given_ids() -> None:
    log = OldLog()
    for number in range(EVENTS):
        log.append(number % OLD, T0_MS, key_of(number), value_of(number))
    one = owner_of(0)
    heirs = {one: fresh()[one]}
    inherit(log, heirs, T0_MS, [3])
    assert len(heirs[one].seen) == sum(owner_of(number) == one for number in range(EVENTS))


def test_log_time_does_not_step_back_with_a_brokers_clock() -> None:
    """As when the predecessor was metered: a step back reads as standing still."""
    log = OldLog()
    log.append(0, T0_MS + 500, key_of(0), value_of(0))
    log.append(0, T0_MS, key_of(1), value_of(1))
    heirs = fresh()
    inherit(log, heirs, T0_MS + 500, [1])
    assert is_duplicate(heirs, 1, T0_MS + 500 + HORIZON_MS - 1)


def test_log_time_begins_where_that_of_the_one_before_ended() -> None:
    log = OldLog()
    log.append(0, T0_MS, key_of(0), value_of(0))
    heirs = fresh()
    inherit(log, heirs, T0_MS + 500, [1], floor_ms=T0_MS + 500)
    assert is_duplicate(heirs, 0, T0_MS + 500 + HORIZON_MS - 1)


def test_what_a_crash_left_half_entered_is_entered_again_as_a_whole() -> None:
    log = OldLog()
    for step in range(60):
        log.append(step % OLD, T0_MS + step, key_of(step), value_of(step))
    last_ms = T0_MS + 59
    disks = {at: ModelStores() for at in range(NEW)}
    settled = Settled(0, last_ms, HORIZON_MS)

    def opened() -> dict[int, ModelStore]:
        return {
            at: ModelStore(disk, "log").open(at, settled, BEFORE_INHERITED)
            for at, disk in disks.items()
        }

    def heirs() -> dict[int, Heir]:
        begin = Cut(INHERITED, settled.past_ms)
        return {
            at: Heir(SeenIds(store, begin), settled.past_ms, 1) for at, store in opened().items()
        }

    reading = Reading(ancestor(last_ms), heirs(), NEW, dict.fromkeys(range(OLD), 0), 1)
    for at in range(OLD):
        reading.take(at, log.block(at, 0, 10))
    reading.hand_on(set())
    assert any(disk.runs["log"] for disk in disks.values()), "some of it is on disk"
    again = heirs()
    assert not any(disk.runs["log"] for disk in disks.values()), "and of no use"
    inherit(log, again, last_ms, [4])
    for heir in again.values():
        heir.seen.cut(0, last_ms)
        assert heir.seen.write()
    for store in opened().values():
        assert store.end == Cut(0, last_ms), "as a whole it is"
    for number in range(60):
        assert is_duplicate(again, number, last_ms + 1), number


def test_large_records_are_looked_into_before_they_are_many() -> None:
    """Anybody may write a megabyte a record, and thousands are read before they are decoded."""
    heirs = fresh()
    reading = Reading(ancestor(T0_MS), heirs, NEW, dict.fromkeys(range(OLD), 0))
    log = OldLog()
    for at in range(OLD):
        log.append(at, T0_MS, key_of(at), value_of(at))
        log.append(at, T0_MS, b"large", b"{" + b" " * (TAKEN_BYTES_MAX // OLD))
        reading.take(at, log.block(at, 0, len(log.records[at])))
    reading.hand_on(set())
    assert reading.entered == OLD


@pytest.mark.parametrize(
    ("from_ms", "held", "found", "start"),
    [
        (500, 0, 300, 300),
        (900, 0, 999, 999),
        # Younger than all that the partition has.
        (901, 0, -1, 1_000),
        (901, 0, 1_200, 1_000),
        # From before the log's own times: from its first record on.
        (100, 0, 300, 0),
        (100, 40, 300, 40),
        # What was as young was deleted.
        (500, 40, -1, 40),
        (500, 2_000, -1, 1_000),
    ],
)
def test_where_a_predecessor_is_read_from(from_ms: int, held: int, found: int, start: int) -> None:
    old = ancestor(900, floor_ms=100)
    assert reading_start(old, 1, from_ms, held=held, found=found) == start


@pytest.mark.parametrize("found", [-1, 1_000, 1_200])
def test_kafka_cannot_have_lost_what_was_never_deleted(found: int) -> None:
    with pytest.raises(UnavailableError, match="partition 1 of old below offset 1000"):
        reading_start(ancestor(900, floor_ms=100), 1, 500, held=0, found=found)
