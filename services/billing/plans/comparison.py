"""PURE. Plans beside what was: what each costs more or less, and what of it cannot be compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, Literal

from schemas.catalogue.currencies import USD
from services.billing.exact import ZERO, difference, times, total
from services.billing.periods import Period
from services.billing.plans.outcome import Outcome
from services.billing.plans.plan import Used
from services.billing.rates import RateBook, RateMissingError

#: What electricity is compared by, as `Electricity` names it.
Measured = Literal["kwh", "location_gco2e"]
#: What is true of every plan; stands beside the numbers.
SAME_TOKENS: Final = (
    "Each plan bills the very tokens that were metered. Cost is exact, net of taxes, with demand"
    " charges; discounts, minimums and commitments that no tariff has are in none of it."
)
OTHER_MODELS: Final = (
    "Another model would not have used these tokens: it counts the same text otherwise, and answers"
    " at another length. What it would have cost no register knows."
)
OTHER_HOURS: Final = "What is moved beyond the end of the month comes to its begin."
OTHER_TIERS: Final = "Other tiers answer later, or sooner; whether that would do no register knows."
SAME_GRIDS: Final = (
    "A grid's CO2e is one number for all hours, so other hours change none of it here."
)
#: By what is compared, where `Electricity` counts the tokens that it says nothing of.
_UNRATED: Final[dict[Measured, str]] = {
    "kwh": "unrated_tokens",
    "location_gco2e": "location_unrated_tokens",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A plan as it is compared.

    ``cost`` is in the comparison's currency, and None where ``no_rate`` says why not; ``more`` is
    the cost less the actual one. ``moved_tokens`` are those that the plan says anything about.
    ``comparable`` says that the plan has a price for what has one actually, and for no more.
    """

    outcome: Outcome
    cost: Decimal | None
    no_rate: str | None
    more: Decimal | None
    moved_tokens: int
    comparable: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """A month's plans, those that can be compared first, the least cost first.

    ``tenant`` of None is all tenants together. Amounts were converted by the rates of ``day``.
    """

    period: Period
    running: bool
    tenant: str | None
    currency: str
    day: date
    used_tokens: int
    actual: Row
    plans: tuple[Row, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said beside the numbers."""
        shown = [one.outcome.plan for one in self.plans]
        return (
            SAME_TOKENS,
            *([OTHER_MODELS] if any(one.other_models for one in shown) else []),
            *([OTHER_TIERS] if any(one.tiers for one in shown) else []),
            *([OTHER_HOURS, SAME_GRIDS] if any(one.shift_hours for one in shown) else []),
        )


def compare(
    period: Period,
    tenant: str | None,
    used: Sequence[Used],
    actual: Outcome,
    plans: Iterable[Outcome],
    rates: RateBook,
    *,
    today: date,
    running: bool,
    currency: str | None,
) -> Comparison:
    """Compare plans with what was, in one currency: the one asked for, the actual one, or USD.

    A rate is that of the month's last day, or of today where the month runs.
    """
    day = today if running else _last_day(period)
    into = currency or _only(actual) or USD
    row = _row(actual, actual, None, used, rates, into, day)
    rows = [_row(one, actual, row.cost, used, rates, into, day) for one in plans]
    return Comparison(
        period=period,
        running=running,
        tenant=tenant,
        currency=into,
        day=day,
        used_tokens=sum(one.tokens for one in used),
        actual=row,
        plans=tuple(sorted(rows, key=_order)),
    )


def _last_day(period: Period) -> date:
    return date.fromordinal(period.end.toordinal() - 1)


def _only(actual: Outcome) -> str | None:
    """The currency of all that was charged, if it is one."""
    currencies = list(actual.totals())
    return currencies[0] if len(currencies) == 1 else None


def _row(
    one: Outcome,
    actual: Outcome,
    actual_cost: Decimal | None,
    used: Sequence[Used],
    rates: RateBook,
    currency: str,
    day: date,
) -> Row:
    no_rate: str | None = None
    cost: Decimal | None = None
    try:
        cost = total(
            times(amount, rates.rate(name, currency, day).rate) if name != currency else amount
            for name, amount in one.totals().items()
        )
    except RateMissingError as error:
        no_rate = str(error)
    more = None
    if cost is not None and actual_cost is not None:
        more = difference(cost, actual_cost)
    return Row(
        outcome=one,
        cost=cost,
        no_rate=no_rate,
        more=more,
        moved_tokens=sum(each.tokens for each in used if one.plan.moves(each.labels)),
        comparable=one.unpriced() == actual.unpriced(),
    )


def _order(row: Row) -> tuple[bool, bool, Decimal, bool, Decimal, str]:
    """The least cost first, of equal costs the least CO2e; what is not known comes last."""
    emitted = row.outcome.electricity.location_gco2e
    return (
        not row.comparable,
        row.cost is None,
        row.cost or ZERO,
        emitted is None,
        ZERO if emitted is None else emitted.mean,
        row.outcome.plan.name,
    )


def electricity_more(row: Row, actual: Row, name: Measured) -> Decimal | None:
    """How much more a plan took of ``kwh`` or ``location_gco2e``, of the mean.

    None where either is not known, or where not as many tokens are rated.
    """
    mine, theirs = row.outcome.electricity, actual.outcome.electricity
    one, other = getattr(mine, name), getattr(theirs, name)
    if one is None or other is None or not rated_alike(row, actual, name):
        return None
    return difference(one.mean, other.mean)


def rated_alike(row: Row, actual: Row, name: Measured) -> bool:
    """Whether as many tokens have a rating for it under the plan as have one actually."""
    unrated = _UNRATED[name]
    return bool(
        getattr(row.outcome.electricity, unrated) == getattr(actual.outcome.electricity, unrated)
    )
