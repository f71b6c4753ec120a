"""PURE: reads the counts of one usage object by its register.

One quantity may stand under several names. Given twice it counts once: the names must say the
same. A 0 beside another's count says nothing: gateways fill the names that they do not use with 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.ingest.adapters.counts import count, optional_count, part
from services.ingest.adapters.usage_fields.register import Field, Quantity, Register
from services.ingest.errors import EventRejectedError
from services.ingest.explain import EXPECTED


@dataclass(frozen=True, slots=True)
class Told:
    """What a usage object, or a stream of them, tells; a quantity that is absent is not told."""

    register: Register
    #: Leads to the object's fields, for messages, such as ``usage.``.
    where: str
    counts: dict[Quantity, int] = field(default_factory=dict)
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
    """Read every quantity that the register knows.

    Raises `EventRejectedError` for what is no count, and for names that contradict each other.
    """
    told = Told(register, where)
    for quantity, fields in register.by_quantity.items():
        found = one_count(quantity, _readings(usage, fields, where))
        if found is not None:
            told.counts[quantity] = found
    return told


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
    usage: Mapping[str, Any], fields: tuple[Field, ...], where: str
) -> Iterator[tuple[str, int]]:
    for one in fields:
        holder, place = usage, where
        *parents, name = one.path.split(".")
        for parent in parents:
            holder = part(holder, parent, place)
            place += f"{parent}."
        if one.summed:
            counts = part(holder, name, place)
            told = [key for key, value in counts.items() if value is not None]
            if told:
                added = sum(count(counts, key, f"{place}{name}.") for key in told)
                yield f"the sum of {place}{name}", added
        elif (value := optional_count(holder, name, place)) is not None:
            yield f"{place}{name}", value
