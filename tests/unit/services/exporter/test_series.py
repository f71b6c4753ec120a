"""The biggest label sets are shown by name, the rest in "other", and none changes sides."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.exporter.high_water import HighWater
from services.exporter.rows import REGISTER_COLUMNS, RegisterRow, Series, Totals
from services.exporter.series import OTHER, SeriesSelection


def row(model: str, tokens: int) -> RegisterRow:
    totals = dict.fromkeys(REGISTER_COLUMNS, 0) | {"requests": 1, "input_tokens": tokens}
    return RegisterRow(Series("eu", "p", model), tuple(totals.values()))


def tokens(shown: dict[Series, Totals]) -> dict[str, int]:
    column = REGISTER_COLUMNS.index("input_tokens")
    return {series.model: totals[column] for series, totals in shown.items()}


def test_all_are_named_while_there_is_room() -> None:
    shown, omitted = SeriesSelection(2).select([row("a", 1), row("b", 2)])
    assert (tokens(shown), omitted) == ({"a": 1, "b": 2}, 0)


def test_the_smallest_are_summed_into_other() -> None:
    rows = [row("small", 1), row("big", 9), row("mid", 5), row("less", 2)]
    shown, omitted = SeriesSelection(2).select(rows)
    assert (tokens(shown), omitted) == ({"big": 9, "mid": 5, "other": 3}, 2)
    assert shown[OTHER][REGISTER_COLUMNS.index("requests")] == 2


def test_tokens_are_input_and_output() -> None:
    values = dict.fromkeys(REGISTER_COLUMNS, 0) | {"output_tokens": 7}
    talker = RegisterRow(Series("eu", "p", "talker"), tuple(values.values()))
    shown, _ = SeriesSelection(1).select([row("reader", 6), talker])
    assert Series("eu", "p", "talker") in shown


def test_membership_outlives_the_ranking() -> None:
    selection = SeriesSelection(1)
    selection.select([row("first", 5), row("second", 1)])
    shown, omitted = selection.select([row("first", 5), row("second", 100)])
    assert (tokens(shown), omitted) == ({"first": 5, "other": 100}, 1)


def test_a_newcomer_takes_a_place_that_is_left() -> None:
    selection = SeriesSelection(2)
    selection.select([row("a", 5)])
    shown, omitted = selection.select([row("a", 5), row("late", 10), row("later", 20)])
    assert (tokens(shown), omitted) == ({"a": 5, "later": 20, "other": 10}, 1)


@pytest.mark.parametrize("max_series", [1, 5])
def test_a_reported_other_is_part_of_the_sum(max_series: int) -> None:
    real = RegisterRow(OTHER, row("x", 70).totals)
    shown, omitted = SeriesSelection(max_series).select([row("a", 60), row("b", 1), real])
    assert sum(tokens(shown).values()) == 131
    assert shown[OTHER][REGISTER_COLUMNS.index("input_tokens")] == (71 if max_series == 1 else 70)
    assert omitted == (1 if max_series == 1 else 0)


_growth = st.lists(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 100), max_size=6), max_size=6
)


@given(_growth, st.integers(1, 6))
def test_nothing_is_lost_and_nothing_falls_while_registers_grow(
    steps: list[dict[str, int]], max_series: int
) -> None:
    selection = SeriesSelection(max_series)
    registers: dict[str, int] = {}
    before: dict[str, int] = {}
    for step in steps:
        for model, more in step.items():
            registers[model] = registers.get(model, 0) + more
        shown, omitted = selection.select([row(*register) for register in registers.items()])
        now = tokens(shown)
        assert sum(now.values()) == sum(registers.values())
        assert omitted == max(0, len(registers) - max_series)
        assert len(shown) <= max_series + 1
        assert all(now[model] >= value for model, value in before.items())
        before = now


@given(
    st.permutations(
        [row(model, count) for model, count in zip("abcdef", [5, 5, 5, 1, 9, 0], strict=True)]
    )
)
def test_the_choice_does_not_hang_on_the_order_of_rows(rows: list[RegisterRow]) -> None:
    shown, _ = SeriesSelection(2).select(rows)
    assert tokens(shown) == {"e": 9, "a": 5, "other": 11}


def test_names_that_nothing_was_used_of_crowd_nobody_out() -> None:
    selection = SeriesSelection(20)
    made_up = [row(f"made-up-{number:05}", 0) for number in range(10_000)]
    shown, omitted = selection.select(made_up)
    assert (len(shown), omitted) == (3, 9_998)
    used = [row(f"model-{number}", 10**9 + number) for number in range(18)]
    shown, omitted = selection.select([*made_up, *used])
    assert {one.series for one in used} < shown.keys()
    assert (len(shown), omitted) == (21, 9_998)
    requests = REGISTER_COLUMNS.index("requests")
    assert sum(totals[requests] for totals in shown.values()) == 10_018


def test_a_database_that_went_back_makes_nothing_fall() -> None:
    selection, water = SeriesSelection(1), HighWater[Series]()
    water.rise(selection.select([row("a", 10), row("b", 5)])[0])
    risen = water.rise(selection.select([row("b", 3)])[0])
    assert tokens(dict(risen.values)) == {"a": 10, "other": 5}
    assert risen.held == 2


def test_those_admitted_before_a_restart_keep_their_places() -> None:
    rows = [row("a", 5), row("b", 1), row("c", 3)]
    before = SeriesSelection(2)
    before.select(rows)
    assert [series.model for series in before.named] == ["a", "c"]
    rows = [row("a", 5), row("b", 100), row("c", 3)]
    again, anew = SeriesSelection(2, before.named), SeriesSelection(2)
    assert tokens(again.select(rows)[0]) == {"a": 5, "c": 3, "other": 100}
    # What a restart without memory does: "other" falls from 100 to 3.
    assert tokens(anew.select(rows)[0]) == {"a": 5, "b": 100, "other": 3}


def test_a_lower_limit_keeps_the_first_and_an_unknown_series_is_other() -> None:
    selection = SeriesSelection(1, [row("a", 0).series, row("b", 0).series])
    assert selection.shown_as(row("a", 0).series).model == "a"
    assert selection.shown_as(row("b", 0).series) == OTHER
