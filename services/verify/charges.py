"""PURE. What a bill's readings come to: charges, lines and sums, worked out once more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from typing import Final

from services.verify.errors import BillError
from services.verify.fields import Fields

#: Nothing that a bill's fields may say has more digits; what would be rounded raises.
_EXACT: Final = Context(prec=400, traps=[Inexact, InvalidOperation, Overflow])
_PER_MILLION, _PER_THOUSAND, ONE = Decimal("0.000001"), Decimal("0.001"), Decimal(1)
ENTRIES: Final = ("usage", "debit", "credit")
#: A price is said by all of these, or none.
PRICE_NAMES: Final = ("tariff", "tou", "price", "currency", "amount")
USAGE_NAMES: Final = ("region", "provider", "model", "entry", "tier", "band")
#: Lines that are sums of charges, in their order; demand comes behind them.
KINDS: Final = ("energy", "adjustment", "unpriced")


@dataclass(frozen=True, slots=True, order=True)
class Usage:
    """What usage is told apart by."""

    region: str
    provider: str
    model: str
    entry: str
    tier: str
    band: int


@dataclass(frozen=True, slots=True)
class Price:
    """What a charge is priced by."""

    tariff: str
    tou: str
    price: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Charge:
    """A quantity of one token class, or unit, and what it costs; ``amount`` is None unpriced."""

    token_class: str
    unit: str
    quantity: int
    price: Price | None
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class Reading:
    """What was metered of one kind of usage in one hour."""

    hour: str
    usage: Usage
    charges: tuple[Charge, ...]


@dataclass(frozen=True, slots=True)
class LineKey:
    """What a line is a sum over."""

    kind: str
    usage: Usage
    token_class: str
    unit: str
    price: Price | None

    @property
    def order(self) -> tuple[object, ...]:
        """Its place among the lines."""
        price = self.price
        told = ("", "", "", Decimal(0)) if price is None else _order_of(price)
        return KINDS.index(self.kind), self.usage, self.token_class, self.unit, told


def _order_of(price: Price) -> tuple[str, str, str, Decimal]:
    return price.tou, price.tariff, price.currency, price.price


@dataclass(slots=True)
class Sum:
    """What a line says besides."""

    quantity: int
    amount: Decimal | None


def amount_of(quantity: int, price: Decimal, per: Decimal, entry: str) -> Decimal:
    """Quantity times price, exactly; a credit's is below 0."""
    amount = _EXACT.multiply(_EXACT.multiply(Decimal(quantity), price), per)
    return _EXACT.minus(amount) if entry == "credit" else amount


def sum_of(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum."""
    found = Decimal(0)
    for one in amounts:
        found = _EXACT.add(found, one)
    return found


def read_usage(fields: Fields) -> Usage:
    """What usage an object is about."""
    labels = (fields.text("region"), fields.text("provider"), fields.text("model"))
    entry = fields.one_of("entry", ENTRIES)
    return Usage(*labels, entry, fields.text("tier"), fields.whole("band"))


def read_charge(fields: Fields, entry: str) -> Charge:
    """Read a charge, and see that its amount is quantity times price."""
    token_class, unit = fields.text("class"), fields.text("unit")
    if (token_class == "") == (unit == ""):
        raise fields.wrong("class", "one of class and unit is said, the other is empty")
    quantity = fields.whole("quantity")
    if not quantity:
        raise fields.wrong("quantity", "there is nothing to charge")
    if "price" not in fields.values:
        return Charge(token_class, unit, quantity, None, None)
    price = Price(
        *(fields.text("tariff"), fields.text("tou")),
        *(fields.decimal("price"), fields.currency("currency")),
    )
    amount = fields.decimal("amount")
    expected = amount_of(quantity, price.price, _PER_THOUSAND if unit else _PER_MILLION, entry)
    if amount != expected:
        raise fields.wrong("amount", f"it is {amount:f}, and quantity times price is {expected:f}")
    return Charge(token_class, unit, quantity, price, amount)


def lines_of(readings: Iterable[Reading]) -> dict[LineKey, Sum]:
    """The lines that these readings come to, in their order."""
    found: dict[LineKey, Sum] = {}
    for reading in readings:
        entry = reading.usage.entry
        for one in reading.charges:
            kind = "energy" if entry == "usage" else "adjustment"
            kind = "unpriced" if one.price is None else kind
            key = LineKey(kind, reading.usage, one.token_class, one.unit, one.price)
            line = found.setdefault(key, Sum(0, None if one.amount is None else Decimal(0)))
            line.quantity += one.quantity
            if line.amount is not None and one.amount is not None:
                line.amount = _EXACT.add(line.amount, one.amount)
    return dict(sorted(found.items(), key=lambda item: item[0].order))


def peak_of(readings: Sequence[Reading], region: str) -> tuple[int, str]:
    """The tokens of plain usage of the highest hour, and the first hour that had so many.

    Of one region; ``*`` is all of them. Raises `BillError` where there was no usage.
    """
    hours: dict[str, int] = {}
    for one in readings:
        if one.usage.entry == "usage" and region in ("*", one.usage.region):
            tokens = sum(charge.quantity for charge in one.charges if not charge.unit)
            hours[one.hour] = hours.get(one.hour, 0) + tokens
    highest = max(hours.values(), default=0)
    if not highest:
        raise BillError("lines", f"demand is charged where nothing was used: region {region[:40]}")
    return highest, min(hour for hour, tokens in hours.items() if tokens == highest)
