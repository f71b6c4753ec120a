"""PURE. What the meter says of the bill's days: usage, charges, requests, and what it refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from services.reconcile.bill import ALL, INPUT, TOKENS

#: Measures of the hours, in the order in which they are read; all others follow from them.
MEASURES: Final = (
    "input_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
    "cache_write_5m_input_tokens",
    "cache_write_1h_input_tokens",
    "audio_input_tokens",
    "image_input_tokens",
    "cache_read_audio_input_tokens",
    "cache_read_image_input_tokens",
    "audio_output_tokens",
    "image_output_tokens",
)
#: Classes of tokens, and what a bill that does not tell one apart bills it as. They are those of
#: `TOKEN_CLASSES`, which a test holds; and so far as tariffs have such a rule, it is theirs.
WITHIN: Final[Mapping[str, str]] = {
    "uncached_input": INPUT,
    "cache_read": "uncached_input",
    "cache_write": "uncached_input",
    "cache_write_5m": "cache_write",
    "cache_write_1h": "cache_write",
    "audio_input": "uncached_input",
    "image_input": "uncached_input",
    "cache_read_audio": "cache_read",
    "cache_read_image": "cache_read",
    "output": TOKENS,
    "reasoning": "output",
    "audio_output": "output",
    "image_output": "output",
}
TOKEN_CLASSES: Final = tuple(WITHIN)
OUTPUT_CLASSES: Final = frozenset(("output", "reasoning", "audio_output", "image_output"))
#: What is wider than a class, and in what it lies itself.
_WIDER: Final[Mapping[str, str]] = {INPUT: TOKENS, TOKENS: ALL}


def wider(billed_as: str) -> str | None:
    """Give what a class or a unit lies within where a bill does not tell it; None of all."""
    if billed_as == ALL:
        return None
    return WITHIN.get(billed_as) or _WIDER.get(billed_as) or ALL


def is_tokens(billed_as: str) -> bool:
    """Whether this is a class of tokens or several together, and no unit."""
    return billed_as in WITHIN or billed_as in {INPUT, TOKENS}


def classes_of(measures: Mapping[str, int]) -> dict[str, int]:
    """Give each token in exactly one class, as charges do; classes without any are left away."""
    m = measures
    of_audio, of_image = m["cache_read_audio_input_tokens"], m["cache_read_image_input_tokens"]
    write_5m, write_1h = m["cache_write_5m_input_tokens"], m["cache_write_1h_input_tokens"]
    cache_read, cache_write = m["cache_read_input_tokens"], m["cache_write_input_tokens"]
    audio, image = m["audio_input_tokens"], m["image_input_tokens"]
    told_output = {
        "reasoning": m["reasoning_output_tokens"],
        "audio_output": m["audio_output_tokens"],
        "image_output": m["image_output_tokens"],
    }
    found = {
        "uncached_input": m["input_tokens"]
        - (cache_read + cache_write + audio + image - of_audio - of_image),
        "cache_read": cache_read - of_audio - of_image,
        "cache_write": cache_write - write_5m - write_1h,
        "cache_write_5m": write_5m,
        "cache_write_1h": write_1h,
        "audio_input": audio - of_audio,
        "image_input": image - of_image,
        "cache_read_audio": of_audio,
        "cache_read_image": of_image,
        "output": m["output_tokens"] - sum(told_output.values()),
        **told_output,
    }
    return {name: count for name, count in found.items() if count}


@dataclass(frozen=True, slots=True)
class Quantities:
    """Some quantity of a day, and how much of it lies at the day's edges.

    ``first_hour`` and ``last_hour`` are of its first and last hour (UTC); ``after_export`` is of
    the hours that ended after the bill was made.
    """

    whole: int
    first_hour: int = 0
    last_hour: int = 0
    after_export: int = 0

    def __add__(self, other: Quantities) -> Quantities:
        return Quantities(
            self.whole + other.whole,
            self.first_hour + other.first_hour,
            self.last_hour + other.last_hour,
            self.after_export + other.after_export,
        )


NOTHING: Final = Quantities(0)


@dataclass(frozen=True, slots=True)
class Usage:
    """A day's usage of one class of tokens, or of one unit; debits added, credits taken off."""

    day: date
    provider: str
    model: str
    service_tier: str
    context_band: int
    billed_as: str
    quantities: Quantities


@dataclass(frozen=True, slots=True)
class Charge:
    """A day's charges of one class of tokens, or of one unit.

    ``lowest`` and ``highest`` are the prices of one token or unit that were charged; None where the
    catalogue had none for any of it. ``unpriced`` is how much had none.
    """

    day: date
    provider: str
    model: str
    service_tier: str
    context_band: int
    billed_as: str
    quantity: int
    amount: Decimal
    lowest: Decimal | None
    highest: Decimal | None
    unpriced: int


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests of a day; ``failed`` and ``estimated_tokens`` are parts of the usage."""

    day: date
    provider: str
    model: str
    count: int
    failed: int
    estimated_tokens: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Dead letters of a day that say what they used: it is in no register."""

    day: date
    provider: str
    model: str
    reason: str
    records: int
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Meter:
    """The meter's side of the comparison; amounts are in ``currency``, '' where there is none.

    ``newest_event`` is the newest event time that any partition has seen. ``duplicates`` and
    ``rejected`` are the meter's counts since it was installed.
    """

    usage: tuple[Usage, ...]
    charges: tuple[Charge, ...]
    requests: tuple[Requests, ...]
    refused: tuple[Refused, ...]
    currency: str
    newest_event: datetime | None
    duplicates: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
