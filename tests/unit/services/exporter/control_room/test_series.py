"""Curves and ranking from rows, by hand-made examples."""

from __future__ import annotations

from decimal import Decimal

from services.exporter.control_room.questions import Question, question
from services.exporter.control_room.series import CurveRow, Ranked, series

NOON = 1_773_576_000


def asked(**parameters: str) -> Question:
    return question(parameters.items(), NOON)


def test_a_curve_for_each_name_and_one_of_the_rest() -> None:
    ranked = [Ranked(f"m{n}", 600 - n, 9, 5_364) for n in reversed(range(9))]
    at = NOON - 60
    rows = [CurveRow(at, True, f"m{n}", 600 - n) for n in range(7)]
    rows += [CurveRow(at, False, "", 1_185), CurveRow(at - 120, True, "m0", 60)]
    told = series(asked(last="5m", by="model"), ranked, rows, 1.0)
    assert [(curve.name, curve.sum_of) for curve in told.curves] == [
        *((f"m{n}", 1) for n in range(7)),
        ("", 2),
    ]
    assert told.curves[0].values == [None, None, 1, 0, 10]
    assert told.curves[-1].values == [None, None, 0, 0, 19.75]
    assert told.values == [None, None, 1, 0, 89.4]
    assert told.times == [NOON - 300 + 60 * n for n in range(5)]
    assert (told.amount, told.names, told.peak, told.peak_at) == ("5424", 9, 89.4, at)
    assert told.average == 5_424 / 300
    assert [place.name for place in told.ranking] == [f"m{n}" for n in range(9)]
    assert told.ranking[0].share == 600 / 5_364


def test_spend_is_by_the_hour_and_keeps_its_digits() -> None:
    ranked = [Ranked("m", Decimal("7.000000000000001"), 1, Decimal("7.000000000000001"))]
    rows = [CurveRow(NOON - 3_600, True, "m", Decimal("7.000000000000001"))]
    told = series(asked(last="2h", by="model", measure="spend"), ranked, rows, 1.0)
    assert (told.unit, told.currency, told.amount) == ("per_hour", "USD", "7.000000000000001")
    assert told.values == [None, 7]
    assert told.average == 3.5000000000000005


def test_nothing_was_used() -> None:
    told = series(asked(last="5m"), [], [], 1.0)
    assert told.values == [None] * 5
    assert (told.curves, told.amount, told.peak, told.peak_at, told.names) == (
        [],
        "0",
        None,
        None,
        0,
    )


def test_sums_beyond_what_a_float_holds() -> None:
    rows = [CurveRow(NOON - 60, True, "r", 2**100 + 1)]
    told = series(asked(), [Ranked("r", 2**100 + 1, 1, 2**100 + 1)], rows, 1.0)
    assert told.amount == told.ranking[0].amount == str(2**100 + 1)


def test_only_corrections_have_no_share() -> None:
    ranked = [Ranked("m", Decimal("-5"), 1, Decimal(0))]
    rows = [CurveRow(NOON - 3_600, True, "m", Decimal("-5"))]
    told = series(asked(last="2h", measure="spend"), ranked, rows, 1.0)
    assert (told.ranking[0].share, told.values, told.amount) == (0, [None, -5], "-5")
