"""PURE: what formats share: their shape, and how what is told becomes totals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.ingest.adapters.totals import (
    INCLUSIVE,
    Inclusion,
    Reading,
    Totals,
    canonical,
    check_total,
)
from services.ingest.adapters.usage_fields.fields import (
    Quantity,
)
from services.ingest.adapters.usage_fields.reading import Told, gather
from services.ingest.adapters.usage_fields.register import Register
from services.ingest.adapters.usage_fields.streams import latest
from services.ingest.errors import EventRejectedError

UsageObject = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class UsageFormat:
    """How the usage of one API is read."""

    #: Whose it is, for messages.
    owner: str
    register: Register
    #: Turns what is told into totals.
    settle: Callable[[Told], Totals]
    #: Makes one of the usages of a stream.
    merge: Callable[[Sequence[Told]], Told] = latest
    #: Reads one usage object.
    gather: Callable[[UsageObject, Register, str], Told] = gather


def reading(told: Told) -> Reading:
    """Put together the numbers as they are told, the totals proved where one is missing."""
    input_tokens, output_tokens = told.totals()
    return Reading(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cache_read=told.get(Quantity.CACHE_READ),
        cache_write=told.get(Quantity.CACHE_WRITE),
        reasoning=told.get(Quantity.REASONING),
    )


def settle(told: Told, inclusion: Inclusion, *other_sums: int) -> Totals:
    """Make totals of what is told, and hold them against its sum.

    ``other_sums`` are what the sum may be as well, where an API leaves a part out of it.
    """
    return check_sum(canonical(reading(told), inclusion), told, *other_sums)


def settle_inclusive(told: Told) -> Totals:
    """Make totals where every part is inside its own."""
    return settle(told, INCLUSIVE)


def check_sum(totals: Totals, told: Told, *other_sums: int) -> Totals:
    """Hold totals against the sum that is told; one of 0 beside tokens is none.

    Raises `EventRejectedError` where it is none of the sums that it may be.
    """
    whole = told.get(Quantity.SUM)
    if not whole or whole in other_sums:
        return totals
    return check_total(totals, whole, told.name(Quantity.SUM))


def foreign(told: Told, path: str, owner: str, usage_format: str) -> EventRejectedError:
    """Refuse an object that has a field of another API, whose sums differ."""
    return EventRejectedError(
        "unknown_field",
        f"{told.where}{path} is a field of {owner}'s usage: set usage_format to {usage_format}",
    )


def check_tokens(told: Told, usage: UsageObject) -> None:
    """Refuse an object that tells no input, and tells something else that is not metered."""
    unit = told.register.unit(usage) if told.get(Quantity.INPUT) is None else None
    if unit is not None:
        raise EventRejectedError(
            "no_token_counts",
            f"{told.where}{unit} counts no tokens, and there are none beside it: leave the event"
            " out",
        )
