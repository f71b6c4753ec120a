"""Cuts against a plain list of sightings, each with its offset."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.arrays import cuts as module
from services.aggregator.arrays.cuts import Cut, Cuts


class Column:
    """Offsets of sightings by place, which begin at 0 again when some are dropped."""

    def __init__(self, first_offset: int) -> None:
        self.cuts = Cuts()
        self.offsets: list[int] = []
        self.next_offset = first_offset
        self.made = [Cut()]
        self.kept_offset = first_offset
        self.cut()

    def cut(self) -> None:
        made = Cut(self.next_offset, 10 * self.next_offset)
        self.made.append(made)
        self.cuts.add(len(self.offsets), made, self.kept_offset)

    def write(self) -> None:
        """What comes next is behind the last cut that must be told."""
        self.cut()
        self.kept_offset = self.next_offset

    def see(self, count: int) -> None:
        self.offsets += range(self.next_offset, self.next_offset + count)
        self.next_offset += count + 1

    def keep(self, wanted: list[bool]) -> None:
        kept = [place for place in range(len(self.offsets)) if wanted[place % len(wanted)]]
        self.cuts.move(np.array(kept, np.int64))
        self.offsets = [self.offsets[place] for place in kept]

    def check(self) -> None:
        assert self.cuts.first in self.made and self.cuts.last in self.made
        last = self.cuts.last_place
        assert [o for o in self.offsets[last:] if o < self.cuts.last.offset] == []
        # From the cut that is kept on, all that is here and nothing else.
        if self.kept_offset <= self.cuts.last.offset:
            place = self.cuts.place_from(self.kept_offset)
            assert all(o < self.kept_offset for o in self.offsets[:place])
            assert all(o >= self.kept_offset for o in self.offsets[place:])
            until = self.cuts.places_until(self.kept_offset).tolist()
            assert until == sorted(until) and until[-1] == place


STEPS = st.lists(
    st.one_of(
        st.just("cut"),
        st.just("write"),
        st.integers(0, 4),
        st.lists(st.booleans(), min_size=1, max_size=5),
    ),
    max_size=40,
)


@given(STEPS, st.sampled_from([0, 7]), st.sampled_from([2, 1024]))
def test_cuts_say_no_more_than_is_true(
    steps: list[object], first_offset: int, cuts_max: int
) -> None:
    with patch.object(module, "CUTS_MAX", cuts_max):
        column = Column(first_offset)
        for step in steps:
            if step == "cut":
                column.cut()
            elif step == "write":
                column.write()
            elif isinstance(step, list):
                column.keep(step)
            elif isinstance(step, int):
                column.see(step)
            column.check()
            assert len(column.cuts) <= 2 * cuts_max + 1


def of(*rows: tuple[int, int]) -> Cuts:
    """Cuts at places and offsets; log time is ten times the offset."""
    cuts = Cuts()
    for place, offset in rows:
        cuts.add(place, Cut(offset, 10 * offset), 0)
    return cuts


def test_each_cut_is_told_as_it_was_made() -> None:
    cuts = of((0, 5), (3, 9))
    assert (cuts.first, cuts.last, cuts.last_place) == (Cut(5, 50), Cut(9, 90), 3)
    assert [cuts.place_from(offset) for offset in (4, 5, 6, 9)] == [0, 0, 3, 3]
    assert [cuts.places_until(offset).tolist() for offset in (5, 9)] == [[0], [0, 3]]
    assert [cuts.last_until_place(place) for place in (0, 2, 3, 8)] == [0, 0, 3, 3]


def test_of_two_cuts_with_nothing_between_the_later_says_more() -> None:
    cuts = of((0, 0), (2, 5), (2, 7))
    assert cuts.last == Cut(7, 70)
    assert cuts.place_from(5) == 2, "from there on, nothing else is here"


def test_dropping_what_lies_before_a_cut() -> None:
    cuts = of((0, 0), (2, 5), (4, 7))
    cuts.drop_before(2)
    assert (cuts.first, len(cuts)) == (Cut(5, 50), 2)


def test_many_cuts_become_fewer_and_the_last_ones_stay() -> None:
    cuts = Cuts()
    for number in range(5000):
        cuts.add(number, Cut(10 * number, number), 990)
    assert len(cuts) <= 2 * module.CUTS_MAX
    assert cuts.place_from(49_980) == 4998
    assert cuts.place_from(990) == 99, "and that which is to be kept"


def test_before_the_first_record_there_is_the_first_cut() -> None:
    assert Cut() == Cut(offset=0, log_ms=0)
    assert (Cuts().first, Cuts().last, Cuts().last_place) == (Cut(), Cut(), 0)


def test_twice_as_many_cuts_as_stay_are_all_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one more, every second one of the older half goes: the newer are asked for."""
    monkeypatch.setattr(module, "CUTS_MAX", 4)
    rows = [(place, 10 * place) for place in range(9)]
    assert [of(*rows[:8]).place_from(offset) for _, offset in rows[:8]] == list(range(8))
    cuts = of(*rows)
    assert [cuts.place_from(offset) for _, offset in rows] == [0, 2, 2, 4, 4, 5, 6, 7, 8]


def test_of_cuts_between_which_all_was_forgotten_the_last_stays() -> None:
    cuts = of((0, 0), (3, 5), (5, 9))
    cuts.move(np.array([3, 4, 6], np.int64))
    assert (cuts.first, len(cuts)) == (Cut(5, 50), 2)
    assert [cuts.place_from(offset) for offset in (0, 5, 9)] == [0, 0, 2]
