"""PURE: reads the counts of one usage object by its register.

One quantity may stand under several names. Given twice it counts once: the names must say the
same. A 0 beside another's count says nothing: gateways fill the names that they do not use with 0.
Of what is no token the first name that is not 0 counts, for others may count more or less by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any, Final

from services.ingest.adapters.counts import count, milliseconds, part
from services.ingest.adapters.usage_fields.fields import Field, FieldClass, Quantity
from services.ingest.adapters.usage_fields.paths import Leaf
from services.ingest.adapters.usage_fields.register import Register
from services.ingest.errors import EventRejectedError
from services.ingest.explain import EXPECTED

#: What was written to a cache, by how long it stays; alone they are all of it.
LIFETIMES: Final = (Quantity.CACHE_WRITE_5M, Quantity.CACHE_WRITE_1H)
_TOKENS: Final = (Quantity.INPUT, Quantity.OUTPUT, Quantity.SUM)


@dataclass(frozen=True, slots=True)
class Told:
    """What a usage object, or a stream of them, tells; a quantity that is absent is not told."""

    register: Register
    #: Leads to the object's fields, for messages, such as ``usage.``.
    where: str
    counts: dict[Quantity, int] = field(default_factory=dict)
    #: How the request was served; None where it is not told.
    service_tier: str | None = None
    #: Whether this was made of several objects: then a sum may have got lost.
    merged: bool = False

    def get(self, quantity: Quantity) -> int | None:
        """The count of a quantity, None where it is not told."""
        return self.counts.get(quantity)

    def amount(self, quantity: Quantity) -> int:
        """The count of a quantity, 0 where it is not told: for what is added up."""
        return self.counts.get(quantity, 0)

    def name(self, quantity: Quantity) -> str:
        """Where the quantity stands, under its first name."""
        return f"{self.where}{self.register.by_quantity[quantity][0].path}"

    def need(self, quantity: Quantity) -> int:
        """The count of a quantity that must be told; raises `EventRejectedError`."""
        found = self.counts.get(quantity)
        if found is None:
            raise EventRejectedError(
                "missing_field",
                f"{self.name(quantity)} is missing: give {EXPECTED['input_tokens']}",
            )
        return found

    def totals(self) -> tuple[int, int]:
        """Input and output, both needed; a sum that equals the one proves that the other is 0.

        Embeddings and rerankers have no output, and say so by their sum alone.
        """
        given_in, given_out = self.get(Quantity.INPUT), self.get(Quantity.OUTPUT)
        whole = self.get(Quantity.SUM)
        if given_out is None and given_in is not None and whole == given_in:
            return given_in, 0
        if given_in is None and given_out is not None and whole == given_out:
            return 0, given_out
        return self.need(Quantity.INPUT), self.need(Quantity.OUTPUT)


def gather(usage: Mapping[str, Any], register: Register, where: str) -> Told:
    """Read every quantity that the register knows, and the tier.

    Raises `EventRejectedError` for what is no count, and for names that contradict each other.
    """
    told = Told(register, where, service_tier=register.tier(usage).tier)
    present = usage.keys() & register.heads
    for quantity, fields, heads in register.by_heads:
        if heads.isdisjoint(present):
            continue
        readings = _readings(usage, present, fields, where)
        if fields[0].field_class in (FieldClass.UNIT, FieldClass.INSTEAD):
            found = _first_count(readings)
        else:
            found = one_count(quantity, readings)
        if found is not None:
            told.counts[quantity] = found
    _tokens_of_units(told)
    written = sum(told.amount(one) for one in LIFETIMES)
    if written:
        told.counts.setdefault(Quantity.CACHE_WRITE, written)
    return told


def _tokens_of_units(told: Told) -> None:
    """Decide between tokens and what is billed instead of them: without either, none were used."""
    counts, instead = told.counts, told.register.instead
    if any(counts.get(one) for one in _TOKENS):
        for one in instead:
            counts.pop(one, None)
    elif any(counts.get(one) for one in instead):
        counts.setdefault(Quantity.INPUT, 0)
        counts.setdefault(Quantity.OUTPUT, 0)


def _first_count(readings: Iterator[tuple[str, int]]) -> int | None:
    found: int | None = None
    for _, value in readings:
        found = value
        if value:
            break
    return found


def one_count(what: str, readings: Iterator[tuple[str, int]]) -> int | None:
    """Take a count that may stand under several names; each reading is where and what.

    None where none is given. Raises `EventRejectedError` where two that are not 0 differ.
    """
    found: tuple[str, int] | None = None
    for where, value in readings:
        if found is None or not found[1]:
            found = (where, value)
        elif value and value != found[1]:
            raise EventRejectedError(
                "total_mismatch",
                f"{what} differ: {found[0]} is {found[1]}, but {where} is {value}: correct one",
            )
    return None if found is None else found[1]


def _readings(
    usage: Mapping[str, Any], present: Set[str], fields: tuple[Field, ...], where: str
) -> Iterator[tuple[str, int]]:
    for one in fields:
        if one.heads.isdisjoint(present):
            continue
        found: int | None = None
        for leaf in one.leaves:
            for holder in leaf.holders(usage, where):
                value = _value(one, leaf, holder, f"{where}{leaf.holder_place}")
                found = value if found is None else found + (value or 0)
        if found is not None:
            place = f"{where}{one.leaves[0].place}"
            yield (f"the sum of {place}" if one.summed else place), found


def _value(one: Field, leaf: Leaf, holder: Mapping[str, Any], place: str) -> int | None:
    if one.in_seconds:
        return milliseconds(holder, leaf.name, place)
    if not one.summed:
        return count(holder, leaf.name, place)
    counts = part(holder, leaf.name, place)
    told = [key for key, value in counts.items() if value is not None]
    return sum(count(counts, key, f"{place}{leaf.name}.") for key in told) if told else None
