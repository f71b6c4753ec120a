"""Whoever invents names gets a register for few of them, and nothing stops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.metering_rules import MeteringRules
from services.aggregator.arrays.key_index import Ints
from services.aggregator.core.series_limit import CAPACITY_MIN, OTHER, Admission, SeriesLimit
from services.aggregator.decoding.labels import Labels, Series

RULES = MeteringRules(series_max=2, unused_series_max=1)


def ints(*values: int) -> Ints:
    return np.array(values, np.int64)


def series(model: str, entry: str = "usage") -> Series:
    return Series(entry, "eu", "p", model)


def metered(limit: SeriesLimit, labels: Labels, *events: tuple[str, int], at: int = 0) -> list[str]:
    numbers = [labels.series.number(series(model)) for model, _ in events]
    tokens = [tokens for _, tokens in events]
    offsets = range(at, at + len(events))
    result, moved = limit.metered_as(ints(*numbers), ints(*tokens), ints(*offsets), RULES)
    models = [labels.series.meaning[number].model for number in result.tolist()]
    assert moved == models.count(OTHER)
    return models


def test_so_many_series_and_what_lies_beyond_is_other() -> None:
    labels = Labels()
    limit = SeriesLimit(labels)
    events = [("a", 1), ("b", 1), ("c", 1), ("a", 2), ("c", 0), ("b", 0), ("c", 5)]
    assert metered(limit, labels, *events) == ["a", "b", OTHER, "a", "c", "b", OTHER]
    assert limit.new_count == 3
    assert limit.take_new() == [
        Admission(0, True, 0),
        Admission(1, True, 1),
        Admission(2, False, 4),
    ]
    assert limit.take_new() == []


def test_names_that_nothing_was_used_of_take_no_room_from_others() -> None:
    labels = Labels()
    limit = SeriesLimit(labels)
    made_up = [(f"made-up-{number}", 0) for number in range(100)]
    assert metered(limit, labels, *made_up) == ["made-up-0"] + [OTHER] * 99
    assert metered(limit, labels, ("a", 1), ("b", 1)) == ["a", "b"]


def test_a_name_is_used_once_it_has_tokens_and_leaves_its_room_to_another() -> None:
    labels = Labels()
    limit = SeriesLimit(labels)
    events = [("a", 0), ("b", 0), ("a", 7), ("b", 0), ("c", 0)]
    assert metered(limit, labels, *events) == ["a", OTHER, "a", "b", OTHER]


def test_the_entry_stays_and_so_does_everything_else_of_the_event() -> None:
    labels = Labels()
    limit = SeriesLimit(labels)
    metered(limit, labels, ("a", 1), ("b", 1))
    number = labels.series.number(series("c", "credit"))
    result, _ = limit.metered_as(ints(number), ints(4), ints(9), RULES)
    assert labels.series.meaning[int(result[0])] == Series("credit", OTHER, OTHER, OTHER)


def test_other_takes_nobodys_room_and_a_gateway_may_say_it_too() -> None:
    labels = Labels()
    limit = SeriesLimit(labels)
    other = labels.series.number(Series("usage", OTHER, OTHER, OTHER))
    result, moved = limit.metered_as(ints(other, other), ints(1, 0), ints(0, 1), RULES)
    assert (result.tolist(), moved) == ([other, other], 0)
    assert metered(limit, labels, ("a", 1), ("b", 1)) == ["a", "b"]


def test_an_empty_batch_and_a_batch_of_known_series_are_as_they_were() -> None:
    labels = Labels()
    limit = SeriesLimit(labels)
    none = ints()
    assert limit.metered_as(none, none, none, RULES)[0] is none
    metered(limit, labels, ("a", 1))
    known = ints(0, 0)
    assert limit.metered_as(known, known, known, RULES)[0] is known


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), max_size=40),
    st.lists(st.integers(0, 40), max_size=3),
)
def test_it_is_a_function_of_the_log_wherever_one_goes_on(
    events: list[tuple[int, int]], cuts: list[int]
) -> None:
    """Batches cut anywhere, and a worker that goes on from any checkpoint, decide alike."""
    named = [(f"m-{number}", tokens) for number, tokens in events]
    labels = Labels()
    whole = SeriesLimit(labels)
    expected = metered(whole, labels, *named)
    everyone = whole.take_new()
    for cut in cuts:
        start = min(cut, len(named))
        other_labels = Labels()
        other_labels.series.number(series("numbers differ from worker to worker"))
        admitted = [
            one._replace(series=other_labels.series.number(labels.series.meaning[one.series]))
            for one in everyone
            if one.offset < start
        ]
        later = SeriesLimit(other_labels, admitted)
        assert metered(later, other_labels, *named[start:], at=start) == expected[start:]


@pytest.mark.parametrize("name", ["series_max", "unused_series_max"])
def test_a_limit_is_above_nothing(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        MeteringRules(**{name: 0})  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [CAPACITY_MIN - 1, CAPACITY_MIN, 2 * CAPACITY_MIN, 1000])
def test_any_number_of_series_has_room(number: int) -> None:
    """Labels are numbered by all partitions together: here the first may have a high number."""
    labels = Labels()
    for at in range(number):
        labels.series.number(series(f"of another partition {at}"))
    limit = SeriesLimit(labels)
    assert metered(limit, labels, ("a", 1), ("b", 1), ("c", 1), ("a", 2)) == ["a", "b", OTHER, "a"]
    known = SeriesLimit(labels, limit.take_new())
    assert metered(known, labels, ("c", 1), ("b", 1)) == [OTHER, "b"]
