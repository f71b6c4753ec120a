"""PURE. Poison: records that are no valid usage event, each by what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from schemas.event_rules import MODEL_LENGTH_MAX
from services.simulator.reading import INVALID_EVENT, INVALID_JSON

Fields = dict[str, Any]


def cut_off(fields: Fields) -> bytes:
    """A record that a crash cut in the middle."""
    record = msgspec.json.encode(fields)
    return record[: len(record) // 2]


def not_a_number(fields: Fields) -> bytes:
    """NaN, which Python's json module writes and JSON does not know."""
    record = msgspec.json.encode({**fields, "input_tokens": 0})
    return record.replace(b'"input_tokens":0', b'"input_tokens":NaN')


def missing_total(fields: Fields) -> bytes:
    """A total left out, which must never count as 0."""
    return msgspec.json.encode({k: v for k, v in fields.items() if k != "output_tokens"})


def negative(fields: Fields) -> bytes:
    """A negative quantity."""
    return msgspec.json.encode({**fields, "input_tokens": -1})


def two_to_the_64(fields: Fields) -> bytes:
    """A quantity that wraps to 0 in 64 bits."""
    return msgspec.json.encode({**fields, "input_tokens": 2**63}).replace(
        str(2**63).encode(), str(2**64).encode()
    )


def subset_above_total(fields: Fields) -> bytes:
    """More tokens read from the cache than there is input."""
    return msgspec.json.encode(
        {**fields, "input_tokens": 10, "cache_read_input_tokens": 11, "cache_write_input_tokens": 0}
    )


def oversized_name(fields: Fields) -> bytes:
    """A model's name beyond the limit."""
    return msgspec.json.encode({**fields, "model": "m" * (MODEL_LENGTH_MAX + 1)})


def tokens_as_text(fields: Fields) -> bytes:
    """A quantity as text."""
    return msgspec.json.encode({**fields, "input_tokens": "1020"})


def tokens_as_fraction(fields: Fields) -> bytes:
    """A quantity that is no whole number."""
    return msgspec.json.encode({**fields, "output_tokens": 12.5})


def time_without_zone(fields: Fields) -> bytes:
    """A time that does not say its zone."""
    return msgspec.json.encode({**fields, "time": str(fields["time"]).removesuffix("Z")})


def unknown_tier(fields: Fields) -> bytes:
    """A service tier that no contract knows."""
    return msgspec.json.encode({**fields, "service_tier": "turbo"})


def lifetimes_above_the_write(fields: Fields) -> bytes:
    """More tokens kept in a cache than were written to it."""
    wrong = {"cache_write_input_tokens": 2, "cache_write_5m_input_tokens": 3}
    return msgspec.json.encode({**fields, "input_tokens": 10, "cache_read_input_tokens": 0} | wrong)


def cached_audio_counted_twice(fields: Fields) -> bytes:
    """Audio and cached tokens that do not fit into the input together."""
    wrong = {"cache_read_input_tokens": 6, "audio_input_tokens": 6}
    return msgspec.json.encode(
        {**fields, "input_tokens": 10, "cache_write_input_tokens": 0, **wrong}
    )


def unit_of_half(fields: Fields) -> bytes:
    """A search that was made by half."""
    return msgspec.json.encode({**fields, "web_searches": 0.5})


#: Every kind, with the reason it must be dead-lettered for.
POISONS: Final[tuple[tuple[Callable[[Fields], bytes], str], ...]] = (
    (cut_off, INVALID_JSON),
    (not_a_number, INVALID_JSON),
    (missing_total, INVALID_EVENT),
    (negative, INVALID_EVENT),
    (two_to_the_64, INVALID_EVENT),
    (subset_above_total, INVALID_EVENT),
    (oversized_name, INVALID_EVENT),
    (tokens_as_text, INVALID_EVENT),
    (tokens_as_fraction, INVALID_EVENT),
    (time_without_zone, INVALID_EVENT),
    (unknown_tier, INVALID_EVENT),
    (lifetimes_above_the_write, INVALID_EVENT),
    (cached_audio_counted_twice, INVALID_EVENT),
    (unit_of_half, INVALID_EVENT),
)
