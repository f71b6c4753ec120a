"""PURE. What is settled of a tenant: charges of each hour, and demand; as readings and lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from services.billing.exact import times, total
from services.settlement.canonical import Body, decimal_text, hour_text

#: Of lines that are sums of charges, in their order.
KINDS: Final = ("energy", "adjustment", "unpriced")
SECONDS_OF_HOUR: Final = 3600
#: Tokens by region, and by hour; more may be added.
HourlyTokens = defaultdict[str, defaultdict[datetime, int]]


class Usage(NamedTuple):
    """What usage of one hour is told apart by."""

    region: str
    provider: str
    model: str
    entry: str
    tier: str
    band: int

    @property
    def body(self) -> Body:
        """As a bill has it."""
        return {**self._asdict(), "band": str(self.band)}


class Price(NamedTuple):
    """What a charge is priced by: per million tokens, or thousand units."""

    tou: str
    tariff: str
    currency: str
    price: Decimal

    @property
    def body(self) -> Body:
        """As a bill has it."""
        return {**self._asdict(), "price": decimal_text(self.price)}


@dataclass(frozen=True, slots=True)
class Charge:
    """A row of the view `charges`; where no price fits, it has neither ``price`` nor ``amount``."""

    hour: datetime
    usage: Usage
    token_class: str
    unit: str
    quantity: int
    price: Price | None
    amount: Decimal | None

    @property
    def place(self) -> tuple[datetime, Usage, str, str]:
        """Its order, and what tells it from all others."""
        return self.hour, self.usage, self.unit, self.token_class


@dataclass(frozen=True, slots=True)
class DemandCharge:
    """A price per token/s of the highest hour of a region; ``*`` is all of them."""

    region: str
    tariff: str
    price: Decimal
    currency: str = "USD"


@dataclass(frozen=True, slots=True)
class Demand:
    """What a demand charge comes to: ``rate`` is whole tokens/s."""

    charge: DemandCharge
    hour: datetime
    tokens: int

    @property
    def rate(self) -> int:
        """The tokens of the hour by its seconds, rounded down."""
        return self.tokens // SECONDS_OF_HOUR

    @property
    def amount(self) -> Decimal:
        """Rate times price."""
        return times(Decimal(self.rate), self.charge.price)


def reading_bodies(charges: Sequence[Charge]) -> list[Body]:
    """The readings: an object for each hour and usage, with its charges."""
    groups: dict[tuple[datetime, Usage], list[Charge]] = defaultdict(list)
    for one in sorted(charges, key=lambda one: one.place):
        groups[one.hour, one.usage].append(one)
    return [
        {
            "kind": "reading",
            "hour": hour_text(hour),
            **usage.body,
            "charges": [_charge_body(one) for one in found],
        }
        for (hour, usage), found in groups.items()
    ]


def _charge_body(one: Charge) -> Body:
    body = {"class": one.token_class, "unit": one.unit, "quantity": str(one.quantity)}
    if one.price is None or one.amount is None:
        return body
    return body | one.price.body | {"amount": decimal_text(one.amount)}


def line_bodies(charges: Sequence[Charge], demand: Iterable[Demand]) -> list[Body]:
    """The lines: sums of charges of one usage, class or unit, and price; then demand."""
    groups: dict[tuple[object, ...], list[Charge]] = defaultdict(list)
    for one in charges:
        kind = KINDS.index(_kind(one))
        key = (kind, one.usage, one.token_class, one.unit)
        groups[(*key, one.price or ("", "", "", Decimal(0)))].append(one)
    lines = [_line(groups[key]) for key in sorted(groups)]
    for each in sorted(demand, key=lambda each: (each.charge.region, each.charge.tariff)):
        lines.append(_demand_line(each))
    return lines


def _kind(one: Charge) -> str:
    if one.price is None:
        return "unpriced"
    return "energy" if one.usage.entry == "usage" else "adjustment"


def _line(found: Sequence[Charge]) -> Body:
    one = found[0]
    body = {
        "kind": "line",
        "line": _kind(one),
        **one.usage.body,
        **{"class": one.token_class, "unit": one.unit},
        "quantity": str(sum(each.quantity for each in found)),
    }
    if one.price is None:
        return body
    amounts = (each.amount for each in found if each.amount is not None)
    return body | one.price.body | {"amount": decimal_text(total(amounts))}


def _demand_line(each: Demand) -> Body:
    return {
        "kind": "line",
        "line": "demand",
        "region": each.charge.region,
        "hour": hour_text(each.hour),
        "quantity": str(each.tokens),
        "rate": str(each.rate),
        "tariff": each.charge.tariff,
        "price": decimal_text(each.charge.price),
        "currency": each.charge.currency,
        "amount": decimal_text(each.amount),
    }


def demand_of(charges: Iterable[Charge], prices: Iterable[DemandCharge]) -> list[Demand]:
    """What the demand charges of a month come to, as the view `statements` has it."""
    tokens = hourly_tokens(charges)
    found = []
    for price in prices:
        hours = tokens.get(price.region)
        if hours:
            highest = max(hours.values())
            first = min(hour for hour, count in hours.items() if count == highest)
            found.append(Demand(price, first, highest))
    return found


def no_tokens() -> HourlyTokens:
    """None yet, in any region or hour."""
    return defaultdict(lambda: defaultdict(int))


def hourly_tokens(charges: Iterable[Charge]) -> HourlyTokens:
    """Tokens of plain usage by region, and by hour; ``*`` has those of all regions."""
    found = no_tokens()
    for one in charges:
        if one.usage.entry == "usage" and not one.unit:
            for scope in {"*", one.usage.region}:
                found[scope][one.hour] += one.quantity
    return found


def totals_of(charges: Iterable[Charge], demand: Iterable[Demand]) -> dict[str, Decimal]:
    """What is owed in each currency, exactly."""
    amounts: dict[str, list[Decimal]] = defaultdict(list)
    for one in charges:
        if one.price is not None and one.amount is not None:
            amounts[one.price.currency].append(one.amount)
    for each in demand:
        amounts[each.charge.currency].append(each.amount)
    return {currency: total(found) for currency, found in sorted(amounts.items())}


def unpriced_tokens(charges: Iterable[Charge]) -> int:
    """Tokens that no price fits; they are in no amount."""
    return sum(one.quantity for one in charges if one.price is None and not one.unit)
