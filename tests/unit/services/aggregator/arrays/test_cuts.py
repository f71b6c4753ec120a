"""Cuts against a plain list of sightings, each with its offset."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
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
        self.cut()

    def cut(self) -> None:
        made = Cut(self.next_offset, 10 * self.next_offset)
        self.made.append(made)
        self.cuts.add(len(self.offsets), made)

    def see(self, count: int) -> None:
        self.offsets += range(self.next_offset, self.next_offset + count)
        self.next_offset += count + 1

    def keep(self, wanted: list[bool]) -> None:
        kept = [place for place in range(len(self.offsets)) if wanted[place % len(wanted)]]
        self.cuts.drop_before(kept[0] if kept else len(self.offsets))
        self.cuts.move(np.array(kept, np.int64))
        self.offsets = [self.offsets[place] for place in kept]

    def check(self) -> None:
        places = np.arange(len(self.offsets))
        for offset, begin in zip(self.offsets, self.cuts.offsets_of(places).tolist(), strict=True):
            assert begin <= offset, "reading from there meets it"
        for offset in {0, *(cut.offset for cut in self.made), self.next_offset}:
            found = self.cuts.last_until(offset)
            assert found.offset <= offset
            assert found in self.made
            below = self.cuts.offsets_of(places) < found.offset
            assert all(np.array(self.offsets)[below] < found.offset), "told to lie below, and does"


STEPS = st.lists(
    st.one_of(
        st.just("cut"),
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
            elif isinstance(step, list):
                column.keep(step)
            elif isinstance(step, int):
                column.see(step)
            column.check()
            assert len(column.cuts) <= 2 * cuts_max + 1


def test_each_cut_is_told_as_it_was_made() -> None:
    cuts = Cuts()
    cuts.add(0, Cut(5, 50))
    cuts.add(3, Cut(9, 90))
    assert cuts.offsets_of(np.array([0, 2, 3, 8])).tolist() == [5, 5, 9, 9]
    assert [cuts.last_until(offset) for offset in (4, 5, 8, 9)] == [
        Cut(),
        Cut(5, 50),
        Cut(5, 50),
        Cut(9, 90),
    ]
    assert cuts.last_offset == 9


def test_of_two_cuts_with_nothing_between_the_later_says_more() -> None:
    cuts = Cuts()
    cuts.add(2, Cut(5, 50))
    cuts.add(2, Cut(7, 70))
    assert cuts.last_until(99) == Cut(7, 70)
    assert cuts.last_until(6) == Cut()


def test_what_came_before_any_cut_may_lie_anywhere() -> None:
    cuts = Cuts()
    cuts.add(4, Cut(5, 50))
    assert cuts.offsets_of(np.array([3, 4])).tolist() == [0, 5]


def test_many_cuts_become_fewer_and_the_last_ones_stay() -> None:
    cuts = Cuts()
    for number in range(5000):
        cuts.add(number, Cut(10 * number, number))
    assert len(cuts) <= 2 * module.CUTS_MAX
    assert cuts.last_until(49_985) == Cut(49_980, 4998)
