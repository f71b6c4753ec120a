"""PURE. What the tokens cost, by currency: nothing is converted, and no tenant is told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, NamedTuple

from services.exporter.control_room.rows import Window

MILLION: Final = 1_000_000


class ChargeRow(NamedTuple):
    """One model's charges of the running month in one currency; empty is what no price fits.

    `token_amount` and `tokens` are of plain usage by tokens alone; `today` and `month` have units,
    debits and credits too. The columns `all_…` are of all models in that currency.
    """

    currency: str
    model: str
    today: Decimal
    month: Decimal
    tokens: int
    token_amount: Decimal
    all_today: Decimal
    all_month: Decimal
    all_tokens: int
    all_token_amount: Decimal


@dataclass(frozen=True, slots=True)
class CurrencySpend:
    """Money as decimal strings; `price_per_million` is what a million tokens of usage cost."""

    currency: str
    today: str
    month: str
    tokens: str
    price_per_million: float | None


@dataclass(frozen=True, slots=True)
class ModelSpend:
    """The same of one model, and its part of all spend in the currency."""

    model: str
    currency: str
    today: str
    month: str
    tokens: str
    price_per_million: float | None
    share: float


@dataclass(frozen=True, slots=True)
class Spend:
    """Charges since the first of the month, UTC, the running hour included; no demand charges."""

    month_start: int
    currencies: list[CurrencySpend]
    #: The first by spend of each currency.
    models: list[ModelSpend]
    #: Tokens of plain usage that no price fits; they are in no sum.
    unpriced_tokens: str


def spend(rows: Sequence[ChargeRow], window: Window) -> Spend:
    """Sum up by currency, and name the models of most spend in each."""
    priced = [row for row in rows if row.currency]
    # By currency first: a unit of one is not a unit of another.
    priced.sort(key=lambda row: (row.currency != "USD", row.currency, -row.month, row.model))
    first = {row.currency: row for row in priced}
    unpriced = next((row.all_tokens for row in rows if not row.currency), 0)
    return Spend(
        month_start=month_start(window.day_from),
        currencies=[
            CurrencySpend(
                currency=currency,
                today=f"{row.all_today:f}",
                month=f"{row.all_month:f}",
                tokens=str(row.all_tokens),
                price_per_million=_price(row.all_token_amount, row.all_tokens),
            )
            for currency, row in first.items()
        ],
        models=[
            ModelSpend(
                model=row.model,
                currency=row.currency,
                today=f"{row.today:f}",
                month=f"{row.month:f}",
                tokens=str(row.tokens),
                price_per_million=_price(row.token_amount, row.tokens),
                share=float(row.month / row.all_month) if row.all_month > 0 else 0.0,
            )
            for row in priced
        ],
        unpriced_tokens=str(unpriced),
    )


def month_start(day: int) -> int:
    """Where the month of a day begins; both in Unix seconds, UTC."""
    first = datetime.fromtimestamp(day, UTC).replace(day=1, hour=0, minute=0, second=0)
    return int(first.timestamp())


def _price(amount: Decimal, tokens: int) -> float | None:
    return float(amount * MILLION / tokens) if tokens else None
