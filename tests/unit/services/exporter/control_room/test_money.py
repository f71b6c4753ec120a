"""Spend by currency from rows, by hand-made examples."""

from __future__ import annotations

from decimal import Decimal

from services.exporter.control_room.money import ChargeRow, month_start, spend
from services.exporter.control_room.rows import Window

DAY = 1_773_532_800  # 2026-03-15
WINDOW = Window(DAY + 3_600, DAY, DAY)


def row(currency: str, model: str, month: str, tokens: int) -> ChargeRow:
    """One model alone in its currency, all of it used today."""
    amount = Decimal(month)
    of_one = (amount, amount, tokens, amount)
    return ChargeRow(currency, model, *of_one, *of_one)


def test_currencies_are_never_added() -> None:
    told = spend(
        [row("CNY", "deepseek", "700", 1_000_000), row("USD", "gpt", "7.5", 500_000)], WINDOW
    )
    assert [(one.currency, one.month, one.price_per_million) for one in told.currencies] == [
        ("USD", "7.5", 15.0),
        ("CNY", "700", 700.0),
    ]
    assert [(one.model, one.currency, one.share) for one in told.models] == [
        ("gpt", "USD", 1.0),
        ("deepseek", "CNY", 1.0),
    ]
    assert told.unpriced_tokens == "0"


def test_tokens_without_a_price_are_told_and_in_no_sum() -> None:
    told = spend([row("", "mystery", "0", 2**70)], WINDOW)
    assert (told.currencies, told.models, told.unpriced_tokens) == ([], [], str(2**70))


def test_the_price_is_of_tokens_alone() -> None:
    """Units, debits and credits are in the spend, and not in what a token costs."""
    four = Decimal(4)
    with_units = row("USD", "m", "9", 2_000_000)._replace(token_amount=four, all_token_amount=four)
    told = spend([with_units], WINDOW)
    assert told.currencies[0].price_per_million == told.models[0].price_per_million == 2.0
    none = spend([row("USD", "images", "9", 0)], WINDOW)
    assert none.models[0].price_per_million is None


def test_amounts_have_no_exponent_and_all_their_digits() -> None:
    told = spend([row("USD", "m", "1E+3", 1), row("USD", "n", "0.000000000000001", 1)], WINDOW)
    assert [one.month for one in told.models] == ["1000", "0.000000000000001"]


def test_where_a_month_begins() -> None:
    assert month_start(DAY) == DAY - 14 * 86_400
    assert month_start(DAY - 14 * 86_400) == DAY - 14 * 86_400
    assert spend([], WINDOW).month_start == DAY - 14 * 86_400
