"""The tally: what rows come to, and whether statements and meters say the same."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from services.billing.focus.tally import Tally
from tests.unit.services.billing.focus.charges import (
    CREDITED,
    DEMANDED,
    SEARCHED,
    UNPRICED,
    USED,
    row_of,
)


def tally() -> Tally:
    found = Tally()
    for one in (USED, CREDITED, SEARCHED, UNPRICED, replace(USED, tenant="zenith")):
        found.add(row_of(one))
    found.add(row_of(DEMANDED))
    return found


ACME, ZENITH = Decimal("12.34567") - Decimal("0.001") + Decimal("0.03") + 35, Decimal("12.34567")
BILLED = {"acme": ACME, "zenith": ZENITH}
METERED = {"acme": 2 * 1_234_567, "zenith": 1_234_567}


def test_sums_of_all() -> None:
    found = tally()
    assert found.rows == 6
    assert found.costs() == {"USD": ACME + ZENITH}
    assert found.tokens == 3 * 1_234_567, "neither corrections, units nor demand are tokens used"
    assert found.unpriced == 1_234_567


def test_nothing_differs_from_the_statements_and_the_meter() -> None:
    assert tally().differences(BILLED, METERED) == []


def test_the_last_digit_and_a_single_token_tell() -> None:
    owed = {**BILLED, "acme": ACME + Decimal("0.000000000000001")}
    (line,) = tally().differences(owed, METERED)
    assert line == "acme: the rows bill 47.374670000000000, the statement 47.374670000000001"
    (line,) = tally().differences(BILLED, {**METERED, "zenith": 1})
    assert line == "zenith: the rows have 1,234,567 tokens, the meter 1"


def test_a_tenant_that_is_missing_on_one_side_tells() -> None:
    assert tally().differences({"acme": ACME}, METERED) == [
        "zenith: the rows bill 12.345670000000000, the statement 0"
    ]
    assert tally().differences({**BILLED, "late": Decimal(1)}, {**METERED, "idle": 0}) == [
        "late: the rows bill 0, the statement 1"
    ]


def test_sums_keep_more_digits_than_python_usually_does() -> None:
    found = Tally()
    row = row_of(USED)
    for cost in (Decimal(10) ** 40, Decimal("1E-15")):
        found.add(replace(row, billed_cost=cost))
    assert found.costs()["USD"] == Decimal("1" + "0" * 40 + ".000000000000001")


def test_currencies_are_never_added_up() -> None:
    found = Tally()
    for tenant in ("acme", "dragon"):
        found.add(row_of(replace(USED, tenant=tenant)))
    assert list(found.costs()) == ["CNY", "USD"]
