"""PURE. The leaves of a statement's own Merkle tree: its readings, and behind them its lines."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from services.verify.charges import (
    KINDS,
    ONE,
    PRICE_NAMES,
    USAGE_NAMES,
    LineKey,
    Price,
    Reading,
    amount_of,
    lines_of,
    peak_of,
    read_charge,
    read_usage,
    sum_of,
)
from services.verify.errors import BillError
from services.verify.fields import Fields
from services.verify.proofs import includes, root_of
from services.verify.signed import Signed
from services.verify.statement import Statement

_LEAF_NAMES: Final = ("kind", "period", "run", "tenant", "number")
_CHARGE_NAMES: Final = ("class", "unit", "quantity")
_DEMAND_NAMES: Final = ("line", "region", "hour", "quantity", "rate", "tariff")
_DEMAND_PRICE: Final = ("price", "currency", "amount")


class Leaves:
    """Readings and lines: the leaves of the statement's own tree."""

    def __init__(self, signed: Signed, statement: Statement) -> None:
        self._signed = signed
        self._statement = statement
        self._hashes: list[bytes] = []

    def body(self, part: str, at: int, value: object, kind: str, before: int = 0) -> Fields:
        """The object of one leaf, behind ``before`` others."""
        said = self._statement
        held = Fields(f"{part}[{at}]", value, ("body", "signature", "path"))
        body, leaf = self._signed.body(held, kind)
        if not set(_LEAF_NAMES) <= body.values.keys():
            raise BillError(body.place, f"it must have {', '.join(_LEAF_NAMES)}")
        number = before + at
        body.must_be(period=said.period, run=said.run, tenant=said.tenant, number=str(number))
        size = said.readings + said.lines
        if not includes(leaf, number, size, held.path("path"), said.root):
            raise BillError(f"{held.place}.path", "it does not prove that this is in the statement")
        self._hashes.append(leaf)
        return body

    def all_of_them(self, readings: int, lines: int) -> None:
        """See that none is missing, and none too many."""
        said = self._statement
        for name, found, expected in (
            ("readings", readings, said.readings),
            ("lines", lines, said.lines),
        ):
            if found != expected:
                raise BillError(name, f"there are {found}, and the statement has {expected}")
        if root_of(self._hashes) != said.root:
            raise BillError("statement.body.root", "it is not the root over readings and lines")


def read_reading(body: Fields) -> Reading:
    """A reading, each of its charges with the amount that its price makes. Raises `BillError`."""
    body = Fields(body.place, body.values, (*_LEAF_NAMES, "hour", *USAGE_NAMES, "charges"))
    hour, period = body.hour("hour")
    if period != body.text("period"):
        raise body.wrong("hour", f"{hour} is not in {body.text('period')}")
    usage = read_usage(body)
    charges = []
    for at, one in enumerate(body.items("charges")):
        place = f"{body.place}.charges[{at}]"
        charges.append(read_charge(_with_price(place, one, _CHARGE_NAMES), usage.entry))
    keys = [(one.unit, one.token_class) for one in charges]
    if not keys or keys != sorted(set(keys)):
        raise body.wrong("charges", "there must be some, sorted, each class or unit once")
    return Reading(hour, usage, tuple(charges))


def _with_price(place: str, value: Any, names: tuple[str, ...]) -> Fields:
    """An object that has a price, or nothing of one."""
    priced = isinstance(value, dict) and "price" in value
    return Fields(place, value, (*names, *PRICE_NAMES) if priced else names)


def must_be_in_order(readings: list[Reading]) -> None:
    """See that readings come in their order, none twice. Raises `BillError`."""
    for at, (one, other) in enumerate(zip(readings, readings[1:], strict=False), 1):
        if (one.hour, one.usage) >= (other.hour, other.usage):
            raise BillError(
                f"readings[{at}]", "readings are sorted, and each usage of an hour once"
            )


def sums_of(readings: list[Reading], lines: list[Fields]) -> dict[str, Decimal]:
    """Hold the lines against the readings; gives the totals."""
    expected = lines_of(readings)
    amounts: dict[str, list[Decimal]] = {}
    for at, (key, line) in enumerate(expected.items()):
        if at >= len(lines):
            raise BillError("lines", "there are fewer than the readings come to")
        _must_be(lines[at], key, line.quantity, line.amount)
        if key.price is not None and line.amount is not None:
            amounts.setdefault(key.price.currency, []).append(line.amount)
    scopes: list[tuple[str, str]] = []
    for body in lines[len(expected) :]:
        scope, currency, amount = _demand(body, readings)
        if scopes and scope <= scopes[-1]:
            raise BillError(body.place, "lines of demand are sorted, each region and charge once")
        scopes.append(scope)
        amounts.setdefault(currency, []).append(amount)
    return {currency: sum_of(found) for currency, found in amounts.items()}


def _must_be(body: Fields, key: LineKey, quantity: int, amount: Decimal | None) -> None:
    names = (*_LEAF_NAMES, "line", *USAGE_NAMES, *_CHARGE_NAMES)
    body = _with_price(body.place, body.values, names)
    kind = body.one_of("line", KINDS)
    found = LineKey(kind, read_usage(body), body.text("class"), body.text("unit"), _price(body))
    if found != key:
        raise BillError(body.place, "it is not the next line that the readings come to")
    if body.whole("quantity") != quantity:
        raise body.wrong("quantity", f"its readings come to {quantity}")
    if amount is not None and body.decimal("amount") != amount:
        raise body.wrong("amount", f"its readings come to {amount:f}")


def _price(body: Fields) -> Price | None:
    if "price" not in body.values:
        return None
    return Price(
        body.text("tariff"), body.text("tou"), body.decimal("price"), body.currency("currency")
    )


def _demand(body: Fields, readings: list[Reading]) -> tuple[tuple[str, str], str, Decimal]:
    body = Fields(body.place, body.values, (*_LEAF_NAMES, *_DEMAND_NAMES, *_DEMAND_PRICE))
    body.must_be(line="demand")
    region = body.text("region")
    tokens, hour = peak_of(readings, region)
    for name, value in (
        ("quantity", str(tokens)),
        ("hour", hour),
        ("rate", str(tokens // 3600)),
    ):
        if body.text(name) != value:
            raise body.wrong(name, f"the highest hour was {hour}, with {tokens} tokens")
    amount = body.decimal("amount")
    expected = amount_of(tokens // 3600, body.decimal("price"), ONE, "usage")
    if amount != expected:
        raise body.wrong("amount", f"it is {amount:f}, and rate times price is {expected:f}")
    return (region, body.text("tariff")), body.currency("currency"), amount


def unpriced_tokens(readings: list[Reading]) -> int:
    """Tokens that no price fits."""
    return sum(
        one.quantity
        for reading in readings
        for one in reading.charges
        if one.price is None and not one.unit
    )
