"""The table against a dict in order of the last sighting."""

from __future__ import annotations

from collections.abc import Sequence
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.arrays import seen_table
from services.aggregator.arrays.byte_spans import Words
from services.aggregator.arrays.cuts import Cut
from services.aggregator.arrays.seen_table import CAPACITY_MIN, FREE, SeenTable
from tests.versions.effort import examples

Id = tuple[int, int]

#: Ids that meet: in the first slot, in the last (from which a search goes on at the first), with
#: one first word, and with all but one bit alike.
MEETING: list[Id] = [
    *((number << 32, 1) for number in range(6)),
    *((number << 32 | 0xFFFF_FFFF, 2) for number in range(6)),
    *((5, number) for number in range(6)),
    *((2**63 | 6, 2**63), (2**63 | 6, 0), (6, 2**63)),
]
IDS = st.sampled_from(MEETING) | st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 9))


def words(ids: Sequence[Id]) -> Words:
    return np.array(ids, np.uint64).reshape(-1, 2)


class Model:
    """The same with a dict, in the order of the last sightings; between cuts all go or none."""

    def __init__(self) -> None:
        self.last_ms: dict[Id, int] = {}
        self.cut_offset = 0
        #: By id the cut that its last sighting came behind; those of all that was ever seen.
        self.seen_from: dict[Id, int] = {}
        #: By cut the time of the last sighting that came behind it, the next one not included.
        self.newest_ms: dict[int, int] = {0: -1}

    def see(self, ids: Sequence[Id], times_ms: Sequence[int]) -> None:
        for one, time_ms in zip(ids, times_ms, strict=True):
            self.last_ms.pop(one, None)
            self.last_ms[one] = time_ms
            self.seen_from[one] = self.cut_offset
            self.newest_ms[self.cut_offset] = time_ms

    def cut(self) -> None:
        self.cut_offset += 5
        self.newest_ms[self.cut_offset] = -1

    def keep_from(self, offset: int) -> None:
        self.last_ms = {
            one: time for one, time in self.last_ms.items() if self.seen_from[one] >= offset
        }

    def forget(self, until_ms: int) -> None:
        offset = 0
        while offset < self.cut_offset and self.newest_ms[offset] <= until_ms:
            offset += 5
        self.keep_from(offset)

    def keep_youngest(self, most: int, until: int) -> None:
        offset = 0
        while len(self.last_ms) > most and offset < until:
            offset += 5
            self.keep_from(offset)


class Both:
    """A table and its model, compared after every step."""

    def __init__(self) -> None:
        self.table, self.model = SeenTable(), Model()
        self.met: dict[Id, None] = {}
        self.now_ms = 0

    def see(self, ids: Sequence[Id], pauses_ms: Sequence[int]) -> None:
        times_ms = np.cumsum([self.now_ms, *pauses_ms])[1:].astype(np.int64)
        found = self.table.find(words(ids))
        expected = [self.model.last_ms.get(one, -1) for one in ids]
        assert self.table.last_seen(found).tolist() == expected
        self.table.see(words(ids), times_ms, found)
        self.model.see(ids, times_ms.tolist())
        self.met |= dict.fromkeys(ids)
        self.now_ms = int(times_ms[-1]) if len(times_ms) else self.now_ms
        self.compare()

    def cut(self) -> None:
        self.model.cut()
        self.table.cut(Cut(self.model.cut_offset, self.now_ms), 0)
        self.compare()

    def forget(self, age_ms: int) -> None:
        until_ms = self.now_ms - age_ms
        self.table.forget(until_ms)
        before, first = self.model.last_ms, self.table.cuts.first.offset
        self.model.forget(until_ms)
        assert len(self.table) <= len(self.model.last_ms)
        # What was seen again counts for the time of its first sighting, until room was made.
        self.model.last_ms = before
        self.model.keep_from(first)
        assert all(before[one] <= until_ms for one in before.keys() - self.model.last_ms.keys())
        self.compare()

    def keep_youngest(self, most: int, cuts_back: int) -> None:
        until = max(0, self.model.cut_offset - 5 * cuts_back)
        self.table.keep_youngest(most, until)
        self.model.keep_youngest(most, until)
        self.compare()

    def compare(self) -> None:
        expected = list(self.model.last_ms.items())
        assert len(self.table) == len(expected)
        for offset in {self.model.cut_offset, max(0, self.model.cut_offset - 5)}:
            ids, times_ms = self.table.since(offset)
            rows = list(zip(map(tuple, ids.tolist()), times_ms.tolist(), strict=True))
            assert rows == [row for row in expected if self.model.seen_from[row[0]] >= offset]
        assert self.table.cuts.first.offset <= min(
            (self.model.seen_from[one] for one in self.model.last_ms), default=1 << 60
        )
        asked = [*self.met, (2**64 - 1, 2**64 - 1)]
        found = self.table.find(words(asked))
        last_ms = self.table.last_seen(found).tolist()
        assert last_ms == [self.model.last_ms.get(one, -1) for one in asked]
        assert len(set(found.slots.tolist())) >= len(self.model.last_ms)


SEE = st.lists(st.tuples(IDS, st.sampled_from([0, 0, 1, 3])), unique_by=lambda row: row[0])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("see"), SEE),
        st.tuples(st.just("see"), SEE),
        st.tuples(st.just("forget"), st.integers(-1, 10)),
        st.just(("cut", 0)),
        st.tuples(st.just("keep"), st.integers(1, 12)),
    ),
    max_size=20,
)


@given(STEPS, st.sampled_from([1, 2, 4, 16, CAPACITY_MIN]))
@settings(max_examples=examples(200), deadline=None)
def test_it_knows_what_a_dict_would(steps: list[tuple[str, object]], capacity: int) -> None:
    with patch.object(seen_table, "CAPACITY_MIN", capacity):
        both = Both()
    for step, what in steps:
        if isinstance(what, list):
            both.see([one for one, _ in what], [pause for _, pause in what])
        elif step == "cut":
            both.cut()
        elif step == "forget":
            both.forget(int(str(what)))
        else:
            both.keep_youngest(int(str(what)), int(str(what)) % 3)


@pytest.mark.parametrize("again", [0.0, 0.3, 0.9])
def test_many_ids_for_long(again: float) -> None:
    chance = np.random.default_rng(int(again * 10))
    with patch.object(seen_table, "CAPACITY_MIN", 64):
        both = Both()
    for _ in range(60):
        known = [one for one in both.met if chance.random() < again * 200 / (len(both.met) + 1)]
        new = [tuple(row) for row in chance.integers(0, 2**64, (100, 2), np.uint64).tolist()]
        ids = list(dict.fromkeys([*known, *new]))
        chance.shuffle(ids)
        both.see(ids, chance.integers(0, 3, len(ids)).tolist())
        both.forget(700)
        both.cut()
        if chance.random() < 0.1:
            both.keep_youngest(800, 1)
    assert 500 < len(both.table) < len(both.met), "some were forgotten, and room was made for many"


def test_room_does_not_grow_without_end() -> None:
    both = Both()
    for start in range(0, 40_000, 500):
        both.table.see(
            ids := words([(n * 0x9E3779B97F4A7C15 % 2**64, n) for n in range(start, start + 500)]),
            np.arange(start, start + 500),
            both.table.find(ids),
        )
        both.table.cut(Cut(start + 500, start + 500), 0)
        both.table.forget(start - 500)
        assert len(both.table) <= 1000
    assert len(both.table._high) <= 8 * CAPACITY_MIN


def test_an_id_seen_over_and_over_is_one() -> None:
    both = Both()
    for _ in range(3 * CAPACITY_MIN):
        both.table.see(words([(1, 2)]), np.array([5]), both.table.find(words([(1, 2)])))
    both.model.see([(1, 2)], [5])
    both.met[1, 2] = None
    both.compare()


def test_all_of_them_in_one_slot() -> None:
    both = Both()
    ids = [(number << 40 | 0xFF_FFFF_FFFF, number % 3) for number in range(200)]
    both.see(ids, [1] * 200)
    both.see(ids[::-2], [1] * 100)
    both.forget(150)
    both.see(ids[:50], [0] * 50)


def test_a_forgotten_id_has_a_place_but_was_never_seen() -> None:
    both = Both()
    both.see([(1, 1)], [0])
    both.cut()
    both.see([(2, 2)], [5])
    both.forget(1)
    found = both.table.find(words([(1, 1), (2, 2), (3, 3)]))
    assert both.table.last_seen(found).tolist() == [-1, 5, -1]
    assert found.places[2] == FREE
    both.see([(1, 1)], [1])


def test_nothing_at_all() -> None:
    both = Both()
    both.see([], [])
    both.forget(0)
    both.keep_youngest(1, 0)
    ids, times_ms = both.table.since(0)
    assert ids.shape == (0, 2) and times_ms.shape == (0,)
