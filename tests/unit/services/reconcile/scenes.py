"""Bills and meters that a test makes: the same usage on both sides, but for what is planted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

from services.reconcile.bill import ANY_CONTEXT, Bill, Billed, Context, Days, Key, one_day
from services.reconcile.comparison import compare, sides_of
from services.reconcile.findings import Cause, Reconciliation
from services.reconcile.metered import Charge, Meter, Quantities, Refused, Requests, Usage

FIRST = date(2026, 10, 1)
DAYS = [one_day(date(2026, 10, day)) for day in (1, 2, 3)]
#: Long after the days of the bill: nothing is late for the meter is behind.
NOW = datetime(2026, 11, 1, tzinfo=UTC)
PROVIDER = "openai"
#: USD per token.
PRICES: Mapping[str, Decimal] = {
    "uncached_input": Decimal("0.000002"),
    "cache_read": Decimal("0.0000002"),
    "output": Decimal("0.000012"),
    "web_searches": Decimal("0.01"),
}


def line(
    billed_as: str,
    quantity: int | None,
    amount: str | None = None,
    *,
    days: Days = DAYS[0],
    model: str = "m",
    tier: str = "",
    context: Context = ANY_CONTEXT,
    slack: int = 0,
) -> tuple[Key, Billed]:
    """Give a line of a bill."""
    money = None if amount is None else Decimal(amount)
    key = Key(days, PROVIDER, model, billed_as, tier, context)
    return key, Billed(quantity, slack, money, 0 if money is None else 1)


def bill(
    *lines: tuple[Key, Billed],
    requests: Mapping[tuple[Days, str, str], int] | None = None,
    covered: Iterable[Days] = DAYS,
    places: int = 6,
    format_: str = "made up",
) -> Bill:
    """Give a bill of these lines."""
    return Bill(
        format=format_,
        currency="USD" if any(one.amount is not None for _, one in lines) else "",
        places=places,
        covered=tuple(covered),
        providers=frozenset({PROVIDER}),
        lines=dict(lines),
        requests=dict(requests or {}),
        left_out=(),
        notes=(),
    )


def used(
    billed_as: str,
    whole: int,
    *,
    day: date = FIRST,
    model: str = "m",
    tier: str = "",
    band: int = 0,
    first_hour: int = 0,
    last_hour: int = 0,
    after_export: int = 0,
) -> Usage:
    """Give what was metered of a class on a day."""
    edges = Quantities(whole, first_hour, last_hour, after_export)
    return Usage(day, PROVIDER, model, tier, band, billed_as, edges)


def charged(one: Usage, price: Decimal | None = None, highest: Decimal | None = None) -> Charge:
    """Give the charge of a usage, at the price of its class or another."""
    price = PRICES[one.billed_as] if price is None else price
    return Charge(
        *(one.day, one.provider, one.model, one.service_tier, one.context_band, one.billed_as),
        quantity=one.quantities.whole,
        amount=one.quantities.whole * price,
        lowest=price,
        highest=highest or price,
        unpriced=0,
    )


def meter(
    *usage: Usage,
    charges: Iterable[Charge] = (),
    requests: Iterable[Requests] = (),
    refused: Iterable[Refused] = (),
    newest_event: datetime | None = NOW,
) -> Meter:
    """Give the meter's side."""
    charges = tuple(charges)
    return Meter(
        usage=usage,
        charges=charges,
        requests=tuple(requests),
        refused=tuple(refused),
        currency="USD" if charges else "",
        newest_event=newest_event,
    )


def calls(
    count: int, *, day: date = FIRST, model: str = "m", failed: int = 0, estimated: int = 0
) -> Requests:
    """Give the requests of a model on a day, as metered."""
    return Requests(day, PROVIDER, model, count, failed, estimated)


def reconciled(
    *bills: Bill, with_: Meter, now: datetime = NOW, tolerance: str = "0.05"
) -> Reconciliation:
    """Hold bills against a meter."""
    return compare(sides_of(bills, None, None), with_, now, Decimal(tolerance))


def causes(found: Reconciliation) -> dict[tuple[int, str, str, str], int]:
    """Give the quantities by day, class, tier and cause."""
    sums: dict[tuple[int, str, str, str], int] = {}
    for one in found.findings:
        if one.quantity is not None:
            key = one.key
            place = (key.days.first.day, key.billed_as, key.service_tier, one.cause.value)
            sums[place] = sums.get(place, 0) + one.quantity
    return sums


def worth(found: Reconciliation) -> dict[Cause, Decimal]:
    """Give the amounts by cause."""
    return {cause: one.net for cause, one in found.sums("USD").items()}
