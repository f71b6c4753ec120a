"""PURE: how much a key may send in a second, and how many distinct names in a day.

Nothing here reads a clock: every call is handed ``now`` in seconds of one monotonic clock.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

#: A bucket holds this many seconds of its rate, so that a burst after a pause gets through.
BURST_SECONDS: Final = 2.0
#: How long a value stays counted after it was last seen.
DISTINCT_WINDOW_SECONDS: Final = 24 * 3600.0


class TokenBucket:
    """Lets a rate through: what a request costs is known only once it is read, so it pays after.

    A request is let in while the balance is above 0 and may take it below; those that follow
    wait until the debt is paid. So even a request larger than the bucket gets through, and over
    time no more than the rate does.
    """

    def __init__(self, per_second: float, now: float) -> None:
        self._per_second = per_second
        self._capacity = per_second * BURST_SECONDS
        self._balance = self._capacity
        self._at = now

    def wait_seconds(self, now: float) -> int:
        """Say how long until the next request is let in, in whole seconds; 0 for at once."""
        balance = self._refilled(now)
        if balance > 0:
            return 0
        return max(1, math.ceil(-balance / self._per_second))

    def charge(self, amount: float, now: float) -> int:
        """Take ``amount`` unless there is a debt; return how many seconds to wait if there is."""
        wait_seconds = self.wait_seconds(now)
        if not wait_seconds:
            self._balance = self._refilled(now) - amount
            self._at = now
        return wait_seconds

    def _refilled(self, now: float) -> float:
        earned = max(0.0, now - self._at) * self._per_second
        return min(self._capacity, self._balance + earned)


class DistinctValues:
    """The distinct values seen in a window, at most so many: the bound of a label's values."""

    def __init__(self, values_max: int) -> None:
        self.values_max = values_max
        self._seen_at: dict[str, float] = {}

    def admit(self, value: str, now: float) -> bool:
        """Take note of a value; False if it would be one too many, and then it is not noted."""
        if value not in self._seen_at and len(self._seen_at) >= self.values_max:
            self._forget(now - DISTINCT_WINDOW_SECONDS)
            if len(self._seen_at) >= self.values_max:
                return False
        self._seen_at[value] = now
        return True

    def admit_all(self, values: Iterable[str], now: float) -> bool:
        """Take note of all values; False if any is one too many, and then no new one is noted."""
        seen_at = self._seen_at
        fresh = [value for value in values if value not in seen_at]
        if fresh and len(seen_at) + len(fresh) > self.values_max:
            self._forget(now - DISTINCT_WINDOW_SECONDS)
            if len(seen_at) + len(fresh) > self.values_max:
                return False
        for value in values:
            seen_at[value] = now
        return True

    def _forget(self, before: float) -> None:
        for value in [value for value, at in self._seen_at.items() if at <= before]:
            del self._seen_at[value]

    def __len__(self) -> int:
        return len(self._seen_at)


@dataclass(frozen=True, slots=True)
class Allowance:
    """The limits that hold for one key, its own or else the service's; None is no limit."""

    events_per_second: float | None
    bytes_per_second: float | None
    models_max: int
    regions_max: int
    providers_max: int


class KeyUse:
    """What one key has used of its allowance; lives as long as the key and its limits."""

    def __init__(self, allowance: Allowance, now: float) -> None:
        self.allowance = allowance
        self.events = _bucket(allowance.events_per_second, now)
        self.bytes = _bucket(allowance.bytes_per_second, now)
        self.models = DistinctValues(allowance.models_max)
        self.regions = DistinctValues(allowance.regions_max)
        self.providers = DistinctValues(allowance.providers_max)

    def exceeded(self, region: str, provider: str, model: str, now: float) -> str | None:
        """Note an event's names; name the first that is one too many, or None.

        Each of them is asked only if those before were admitted, so what is refused for its
        model does not use up a region.
        """
        if not self.models.admit(model, now):
            return "models"
        if not self.regions.admit(region, now):
            return "regions"
        if not self.providers.admit(provider, now):
            return "providers"
        return None

    def admit_all(
        self, regions: set[str], providers: set[str], models: set[str], now: float
    ) -> bool:
        """Note the names of many events at once; False if any would be one too many."""
        return (
            self.models.admit_all(models, now)
            and self.regions.admit_all(regions, now)
            and self.providers.admit_all(providers, now)
        )


def _bucket(per_second: float | None, now: float) -> TokenBucket | None:
    return None if per_second is None else TokenBucket(per_second, now)
