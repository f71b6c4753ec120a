"""PURE. Draws what a reading tells that its price depends on: tier, lifetimes, kinds, units.

By a random generator of its own, so that all else of a fleet is what it is without it.
"""

from __future__ import annotations

from random import Random
from typing import Any

from services.simulator.price_profiles import HABITS, LIFETIME_SHARES, Habits, Kind
from services.simulator.reading import Reading


class PriceFacts:
    """Adds what is told to readings, one after the other; equal seeds give equal additions."""

    def __init__(self, seed: int) -> None:
        self._draw = Random(f"price facts of {seed}")

    def told(self, reading: Reading) -> Reading:
        """The reading with what its model's requests tell; no totals or subsets change."""
        habits = HABITS.get((reading.provider, reading.model))
        if habits is None:
            return reading
        facts: dict[str, Any] = {}
        if habits.tiers:
            facts["service_tier"] = self._tier(habits)
        if habits.tells_cache_lifetimes and reading.cache_write_input_tokens is not None:
            facts |= self._lifetimes(reading.cache_write_input_tokens)
        facts |= self._kinds_of_input(habits, reading)
        facts |= self._kinds_of_output(habits, reading)
        for share, unit, most in habits.units:
            if self._draw.random() < share:
                facts[unit] = self._draw.randint(1, most)
        return reading._replace(**facts) if facts else reading

    def _tier(self, habits: Habits) -> str | None:
        mark = self._draw.random()
        for share, tier in habits.tiers:
            mark -= share
            if mark < 0:
                return tier
        return None

    def _lifetimes(self, written: int) -> dict[str, int]:
        mark = self._draw.random()
        short, long, both = LIFETIME_SHARES
        if mark < short:
            return {"cache_write_5m_input_tokens": written, "cache_write_1h_input_tokens": 0}
        if mark < short + long:
            return {"cache_write_5m_input_tokens": 0, "cache_write_1h_input_tokens": written}
        if mark < short + long + both:
            half = written // 2
            return {
                "cache_write_5m_input_tokens": half,
                "cache_write_1h_input_tokens": written - half,
            }
        return {}

    def _kinds_of_input(self, habits: Habits, reading: Reading) -> dict[str, int]:
        """Parts of what was not cached, and of what was read from a cache, so that all fit."""
        read = reading.cache_read_input_tokens or 0
        left = reading.input_tokens - read - (reading.cache_write_input_tokens or 0)
        facts = {}
        for name, kind in (("audio", habits.audio_input), ("image", habits.image_input)):
            part = self._part(kind)
            if part is None:
                continue
            fresh, cached = int(left * part), int(read * part)
            left -= fresh
            read -= cached
            facts[f"{name}_input_tokens"] = fresh + cached
            if reading.cache_read_input_tokens:
                facts[f"cache_read_{name}_input_tokens"] = cached
        return facts

    def _kinds_of_output(self, habits: Habits, reading: Reading) -> dict[str, int]:
        left = reading.output_tokens - (reading.reasoning_output_tokens or 0)
        facts = {}
        for name, kind in (("audio", habits.audio_output), ("image", habits.image_output)):
            part = self._part(kind)
            if part is not None:
                facts[f"{name}_output_tokens"] = int(left * part)
                left -= facts[f"{name}_output_tokens"]
        return facts

    def _part(self, kind: Kind) -> float | None:
        """Which part of the tokens is of a kind; None where a request has nothing of it."""
        if not kind.request_share or self._draw.random() >= kind.request_share:
            return None
        return 2 * kind.token_share * self._draw.random()
