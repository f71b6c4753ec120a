"""PURE: how a source's numbers become totals that include their parts.

Sources differ in what their totals hold. Each adapter declares it, once, as an `Inclusion`; what
is beside a total is added here and nowhere else, so nothing can be added twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.event_rules import COUNTED_TWICE, PRICED_APART, SUBSETS
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
    #: What a price depends on besides (`price_facts.py`), by the event's fields; absent: not told.
    parts: Mapping[str, int] = field(default_factory=dict)
    units: Mapping[str, int] = field(default_factory=dict)
    service_tier: str | None = None

    def fields(self) -> dict[str, Any]:
        """The same as fields of an event."""
        return {
            **{name: getattr(self, name) for name in _COUNTS},
            **self.parts,
            **self.units,
            "service_tier": self.service_tier,
        }


#: Of what failed and says nothing of what it used.
NO_TOKENS: Final = Totals(0, 0, None, None, None)
_COUNTS: Final = (
    *("input_tokens", "output_tokens", "cache_read_input_tokens"),
    *("cache_write_input_tokens", "reasoning_output_tokens"),
)


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


def check_parts(totals: Totals, *, apart: bool = False) -> Totals:
    """Refuse parts above their total: something is counted twice or missing.

    ``apart`` also refuses tokens in two classes that are priced apart. Raises `EventRejectedError`
    as an event's own check does, before it is one.
    """
    counts = {name: value for name, value in totals.fields().items() if isinstance(value, int)}
    for parts, total in SUBSETS:
        told = [name for name in parts if name in counts]
        added, whole = sum(counts[name] for name in told), counts.get(total, 0)
        if added > whole:
            raise _too_many(" + ".join(told), added, total, whole)
    added = sum(counts.get(name, 0) for name in PRICED_APART)
    added -= sum(counts.get(name, 0) for name in COUNTED_TWICE)
    if apart and added > totals.input_tokens:
        raise _too_many(
            "cached, audio and image tokens, each counted once,",
            *(added, "input_tokens", totals.input_tokens),
        )
    return totals


def _too_many(parts: str, added: int, total: str, whole: int) -> EventRejectedError:
    return EventRejectedError(
        "subset_exceeds_total",
        f"{parts} are {added} and must not exceed {total}, which are {whole}: correct one of them",
    )
