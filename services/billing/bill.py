"""PURE. A statement as it is billed: each line in one currency, taxes, and the amount due.

Amounts are exact, those that were converted too. Rounded are, each once and to the currency's
smallest unit: the net amount, and each tax on that. The amount due is the sum of these.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from schemas.catalogue.currencies import DECIMALS
from services.billing.exact import negative, rounded, times, total, written
from services.billing.rates import Rate, RateBook
from services.billing.statement import PRICED, Adjustment, Line, Statement
from services.billing.terms import Tax, Terms

PERCENT: Final = Decimal("0.01")
ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class BillLine:
    """A line of the statement in the bill's currency.

    ``rate`` is None where nothing was converted; ``amount`` is None where no price fits.
    """

    line: Line
    rate: Rate | None
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class BillAdjustment:
    """A debit or credit of the statement in the bill's currency, like a line."""

    adjustment: Adjustment
    rate: Rate | None
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class TaxLine:
    """A tax and what it comes to, rounded."""

    tax: Tax
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Bill:
    """A statement with its terms; ``before`` are the lines of the month before, at its rates."""

    statement: Statement
    terms: Terms
    lines: tuple[BillLine, ...]
    adjustments: tuple[BillAdjustment, ...]
    before: tuple[BillLine, ...]

    @property
    def currency(self) -> str:
        """What all its amounts are in."""
        return self.terms.currency

    @property
    def decimals(self) -> int:
        """Decimals of the currency's smallest unit."""
        return DECIMALS[self.currency]

    @property
    def exact_net(self) -> Decimal:
        """The exact sum of all lines."""
        return subtotal(self.lines, *PRICED)

    @property
    def net(self) -> Decimal:
        """The sum of all lines, rounded."""
        return rounded(self.exact_net, self.decimals)

    @property
    def taxes(self) -> tuple[TaxLine, ...]:
        """Each tax on the rounded net amount."""
        return tuple(
            TaxLine(tax, rounded(times(times(self.net, tax.percent), PERCENT), self.decimals))
            for tax in self.terms.taxes
        )

    @property
    def due(self) -> Decimal:
        """What is to be paid; below 0 it is a credit balance."""
        return total([self.net, *(one.amount for one in self.taxes)])

    @property
    def due_label(self) -> str:
        """What the amount due is called."""
        return "Credit balance" if self.due < 0 else "Amount due"

    @property
    def due_text(self) -> str:
        """The amount due, or to the tenant's credit, without a sign."""
        return self.written(negative(self.due) if self.due < 0 else self.due)

    @property
    def rates(self) -> tuple[Rate, ...]:
        """The rates that lines of this month were converted at."""
        found = {line.rate for line in self.lines if line.rate is not None}
        return tuple(sorted(found, key=lambda rate: rate.from_currency))

    def of(self, *kinds: str) -> list[BillLine]:
        """The lines of these kinds."""
        return [one for one in self.lines if one.line.kind in kinds]

    def written(self, amount: Decimal | None) -> str:
        """An exact amount in the bill's currency, or that there is none."""
        return "unpriced" if amount is None else written(amount, self.decimals)


def make_bill(statement: Statement, terms: Terms, rates: RateBook, today: date) -> Bill:
    """Bill a statement in its terms' currency.

    Everything is converted at the rate of the period's last day, of a running one at today's; so
    are the lines of the month before: what changed then is what was used and its price, not the
    rate. Raises `RateMissingError`.
    """
    last_day = min(statement.period_end - ONE_DAY, max(today, statement.period_start))

    def rate_of(currency: str, amount: Decimal | None) -> Rate | None:
        # Nothing has no currency, and is as much in any.
        if amount is None or currency in ("", terms.currency):
            return None
        return rates.rate(currency, terms.currency, last_day)

    def billed(lines: Iterable[Line]) -> tuple[BillLine, ...]:
        found = [(one, rate_of(one.currency, one.amount)) for one in lines]
        return tuple(BillLine(one, rate, _converted(one.amount, rate)) for one, rate in found)

    adjustments = [(one, rate_of(one.currency, one.amount)) for one in statement.adjustments]
    return Bill(
        statement,
        terms,
        billed(statement.lines),
        tuple(BillAdjustment(one, rate, _converted(one.amount, rate)) for one, rate in adjustments),
        billed(statement.before),
    )


def _converted(amount: Decimal | None, rate: Rate | None) -> Decimal | None:
    return amount if amount is None or rate is None else times(amount, rate.rate)


def subtotal(lines: Iterable[BillLine], *kinds: str) -> Decimal:
    """The exact sum of the lines of these kinds."""
    return total(one.amount for one in lines if one.line.kind in kinds and one.amount is not None)


@dataclass(frozen=True, slots=True)
class Group:
    """Lines that are alike in ``labels``: what they come to, each in its own currency and in ours.

    ``original`` is in ``currency`` and None where lines of several currencies meet; an amount is
    None where no line has one.
    """

    labels: tuple[Any, ...]
    lines: tuple[BillLine, ...]
    quantity: int
    currency: str | None
    original: Decimal | None
    amount: Decimal | None

    @property
    def rate(self) -> Rate | None:
        """The rate by which all of it was converted; None where nothing was."""
        return self.lines[0].rate if self.currency is not None else None


def grouped(lines: Iterable[BillLine], labels: Callable[[Line], tuple[Any, ...]]) -> list[Group]:
    """Put lines of equal labels together, in the order of the labels."""
    found: dict[tuple[Any, ...], list[BillLine]] = defaultdict(list)
    for one in lines:
        found[labels(one.line)].append(one)
    ordered = sorted(found, key=lambda key: tuple(str(part) for part in key))
    return [_group(key, found[key]) for key in ordered]


def _group(labels: tuple[Any, ...], lines: list[BillLine]) -> Group:
    currencies = {one.line.currency for one in lines}
    (currency,) = currencies if len(currencies) == 1 else (None,)
    originals = [one.line.amount for one in lines if one.line.amount is not None]
    amounts = [one.amount for one in lines if one.amount is not None]
    return Group(
        labels,
        tuple(lines),
        sum(one.line.quantity for one in lines),
        currency,
        total(originals) if originals and currency is not None else None,
        total(amounts) if amounts else None,
    )
