"""PURE. Which rate of exchange converts an amount on a day, or why none does."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from services.platform.errors import ConfigurationError


class RateMissingError(ConfigurationError):
    """No rate of a pair of currencies holds on a day; the text names both, and the remedy."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What one unit of a currency was worth in another, and who published it when."""

    from_currency: str
    to_currency: str
    day: date
    rate: Decimal
    source: str
    source_date: date


class RateBook:
    """All rates that are known; ``max_age_days`` is how long before a day its rate may be."""

    def __init__(self, rates: Iterable[Rate], max_age_days: int) -> None:
        self._max_age_days = max_age_days
        self._pairs: dict[tuple[str, str], list[Rate]] = {}
        for one in sorted(rates, key=lambda rate: rate.day):
            self._pairs.setdefault((one.from_currency, one.to_currency), []).append(one)

    def rate(self, from_currency: str, to_currency: str, day: date) -> Rate:
        """The latest rate on or before a day.

        A pair is never turned round, nor put together of two others: neither is what somebody
        published, and most quotients have no end. Raises `RateMissingError`.
        """
        rates = self._pairs.get((from_currency, to_currency), [])
        place = bisect_right(rates, day, key=lambda one: one.day)
        if place and (day - rates[place - 1].day).days <= self._max_age_days:
            return rates[place - 1]
        known = f"the latest before is of {rates[place - 1].day}" if place else "there is none"
        if not place and (to_currency, from_currency) in self._pairs:
            known += f", only of {to_currency} to {from_currency}, which is not turned round"
        raise RateMissingError(
            f"no rate of {from_currency} to {to_currency} for {day}, at most"
            f" {self._max_age_days} days old: {known}; add it to rates.yaml and run"
            " `wattoken migrate`"
        )
