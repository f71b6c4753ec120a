"""The registers say by themselves which of the canary's events they hold, and whether rightly."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.canary.books import INPUT_TOKENS, ROUND_EVENTS, Metered, book, mark

#: Beyond the period of the marks.
NUMBERS = st.integers(0, 3000)


def of(numbers: Iterable[int]) -> Metered:
    """What the registers hold of events, each as often as it is named."""
    counted = list(numbers)
    return Metered(len(counted), len(counted) * INPUT_TOKENS, sum(map(mark, counted)))


@pytest.mark.parametrize("last", [0, 1, 8, 807, 808, 809, 1616, 5000])
def test_a_book_is_the_sum_of_its_events(last: int) -> None:
    assert book(last) == of(range(1, last + 1))


def test_marks_are_tokens_and_no_two_near_each_other_are_alike() -> None:
    marks = [mark(number) for number in range(1, 809)]
    assert len(set(marks)) == 808
    assert (min(marks), max(marks)) == (257, 25_984)


@given(NUMBERS, st.sets(st.integers(1, ROUND_EVENTS)))
def test_whole_rounds_and_any_part_of_the_next_are_right(rounds: int, part: set[int]) -> None:
    whole = rounds * ROUND_EVENTS
    held = of([*range(1, whole + 1), *(whole + number for number in part)])
    assert held.is_right
    assert held.difference_tokens == (0, 0)


@given(NUMBERS, NUMBERS)
def test_what_is_there_twice_is_not_right(last: int, twice: int) -> None:
    last, twice = max(last, twice) + 1, min(last, twice) + 1
    held = of([*range(1, last + 1), twice])
    # It looks like another event of its place, 101 rounds later, and like no other.
    if (held.events - twice) % 808 > ROUND_EVENTS:
        assert not held.is_right
        assert held.difference_tokens != (0, 0)


@pytest.mark.parametrize("rounds", [1, 2, 5, 200])
def test_a_round_that_is_there_twice_is_not_the_next_one(rounds: int) -> None:
    last = rounds * ROUND_EVENTS
    held = of([*range(1, last + 1), *range(last - 7, last + 1)])
    assert held.events == last + ROUND_EVENTS
    assert not held.is_right


def test_a_lost_event_is_not_made_up_by_one_that_is_there_twice() -> None:
    held = of([1, 2, 3, 4, 5, 6, 7, 7])
    assert held.events == ROUND_EVENTS
    assert held.difference_tokens == (0, mark(7) - mark(8))


def test_an_event_that_is_lost_later_is_not_a_part_of_a_round() -> None:
    assert not of([1, 2, 4, 5, 6, 7, 8, *range(9, 17)]).is_right


def test_tokens_that_are_added_up_wrongly_are_seen_at_any_moment() -> None:
    part = of([*range(1, 9), 11, 14])
    assert Metered(10, part.input_tokens + 5, part.output_tokens).difference_tokens[0] == 5
    assert not Metered(10, part.input_tokens, part.output_tokens - 1).is_right
