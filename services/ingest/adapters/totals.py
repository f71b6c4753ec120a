"""PURE: how a source's numbers become totals that include their parts.

Sources differ in what their totals hold. Each adapter declares it, once, as an `Inclusion`; what
is beside a total is added here and nowhere else, so nothing can be added twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.ingest.errors import EventRejectedError


@dataclass(frozen=True, slots=True)
class Inclusion:
    """What a source's own totals include."""

    #: Whether its input total holds what was read from and written to caches.
    caches: bool
    #: Whether its output total holds reasoning.
    reasoning: bool


#: OpenAI's convention, and OpenTelemetry's: every part is inside its total.
INCLUSIVE: Final = Inclusion(caches=True, reasoning=True)


@dataclass(frozen=True, slots=True)
class Reading:
    """The numbers as the source has them; None is "not reported"."""

    input_tokens: int
    output_tokens: int
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    """The quantities of a usage event; every part is inside its total."""

    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int | None
    cache_write_input_tokens: int | None
    reasoning_output_tokens: int | None

    def fields(self) -> dict[str, int | None]:
        """The same as fields of an event."""
        return {name: getattr(self, name) for name in self.__slots__}


def canonical(reading: Reading, inclusion: Inclusion) -> Totals:
    """Turn a source's numbers into totals that include their parts."""
    input_tokens, output_tokens = reading.input_tokens, reading.output_tokens
    if not inclusion.caches:
        input_tokens += (reading.cache_read or 0) + (reading.cache_write or 0)
    if not inclusion.reasoning:
        output_tokens += reading.reasoning or 0
    return Totals(
        input_tokens, output_tokens, reading.cache_read, reading.cache_write, reading.reasoning
    )


def check_total(totals: Totals, total: int | None, name: str) -> Totals:
    """Hold the totals against the sum that the source gives, if it gives one.

    Raises `EventRejectedError`: a sum that does not add up says that something is counted twice
    or missing, and no guess can tell what.
    """
    added = totals.input_tokens + totals.output_tokens
    if total is not None and total != added:
        raise EventRejectedError(
            "total_mismatch",
            f"{name} is {total}, but all input and output is {added}: correct one of them",
        )
    return totals


def check_parts(totals: Totals) -> Totals:
    """Refuse parts above their total: something is counted twice or missing.

    Raises `EventRejectedError` as an event's own check does, before it is one.
    """
    cached = (totals.cache_read_input_tokens or 0) + (totals.cache_write_input_tokens or 0)
    for part, whole, name, of in (
        (cached, totals.input_tokens, "cached tokens, read and written,", "input_tokens"),
        (
            totals.reasoning_output_tokens or 0,
            totals.output_tokens,
            "reasoning tokens",
            "output_tokens",
        ),
    ):
        if part > whole:
            raise EventRejectedError(
                "subset_exceeds_total",
                f"{name} are {part} and must not exceed {of}, which are {whole}: correct one of"
                " them",
            )
    return totals
