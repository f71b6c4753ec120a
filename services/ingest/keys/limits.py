"""PURE: how much a key may send in a second, and how many distinct names in a day.

Nothing here reads a clock: every call is handed ``now`` in seconds of one monotonic clock.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Iterable
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, Generic, TypeVar

#: A bucket holds this many seconds of its rate, so that a burst after a pause gets through.
BURST_SECONDS: Final = 2.0
#: How long a value stays counted after it was last seen.
DISTINCT_WINDOW_SECONDS: Final = 24 * 3600.0
#: How many models a key may name in a day that no call of its has used anything of yet.
FAILED_MODELS_MAX: Final = 20
#: Each combination of region, provider and model that a key names becomes a series; the limits on
#: each of the three multiply, so there is one on what comes of them.
SERIES_MAX: Final = 2_000

#: What stands for no limit where a number must.
NO_LIMIT: Final = 1_000_000
#: Region, provider and model.
Combination = tuple[str, str, str]
V = TypeVar("V", bound=Hashable)


#: Large bodies are read in a thread of their own, and what all keys share is noted from there too.
_ONE_AT_A_TIME: Final = Lock()


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
        with _ONE_AT_A_TIME:
            wait_seconds = self.wait_seconds(now)
            if not wait_seconds:
                self._balance = self._refilled(now) - amount
                self._at = now
            return wait_seconds

    def _refilled(self, now: float) -> float:
        earned = max(0.0, now - self._at) * self._per_second
        return min(self._capacity, self._balance + earned)


class DistinctValues(Generic[V]):
    """The distinct values seen in a window, at most so many: the bound of a label's values."""

    def __init__(self, values_max: int) -> None:
        self.values_max = values_max
        self._seen_at: dict[V, float] = {}
        #: No value was seen before this, so that a full set is not gone through for each refusal.
        self._oldest_at = -math.inf

    def has_room(self, values: Collection[V], now: float) -> bool:
        """Say whether all values may be noted together; notes nothing."""
        fresh = sum(value not in self._seen_at for value in values)
        if fresh and len(self._seen_at) + fresh > self.values_max:
            self._forget(now - DISTINCT_WINDOW_SECONDS)
            # What was forgotten may be among the values.
            fresh = sum(value not in self._seen_at for value in values)
            return len(self._seen_at) + fresh <= self.values_max
        return True

    def note(self, values: Iterable[V], now: float) -> list[V]:
        """Take note of values that there is room for; return those that were not known."""
        seen_at = self._seen_at
        fresh = [value for value in values if value not in seen_at]
        for value in values:
            seen_at[value] = now
        return fresh

    def admit_all(self, values: Collection[V], now: float) -> bool:
        """Take note of all values; False if any is one too many, and then none is noted."""
        if not self.has_room(values, now):
            return False
        self.note(values, now)
        return True

    def take_back(self, values: Iterable[V]) -> None:
        """Forget values, as if they had never been noted."""
        for value in values:
            self._seen_at.pop(value, None)

    def __contains__(self, value: V) -> bool:
        return value in self._seen_at

    def _forget(self, before: float) -> None:
        if before < self._oldest_at:
            return
        for value in [value for value, at in self._seen_at.items() if at <= before]:
            del self._seen_at[value]
        self._oldest_at = min(self._seen_at.values(), default=before)

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
    series_max: int = SERIES_MAX


NO_LIMITS: Final = Allowance(None, None, NO_LIMIT, NO_LIMIT, NO_LIMIT, NO_LIMIT)


class KeyUse:
    """What one key has used of its allowance; lives as long as the key and its limits.

    ``all_series`` are the combinations that all keys together have named.
    """

    def __init__(
        self,
        allowance: Allowance,
        now: float,
        all_series: DistinctValues[Combination] | None = None,
    ) -> None:
        self.allowance = allowance
        self.events = _bucket(allowance.events_per_second, now)
        self.bytes = _bucket(allowance.bytes_per_second, now)
        self.models = DistinctValues[str](allowance.models_max)
        self.regions = DistinctValues[str](allowance.regions_max)
        self.providers = DistinctValues[str](allowance.providers_max)
        self.series = DistinctValues[Combination](allowance.series_max)
        # An empty one is false too.
        self.all_series = DistinctValues(NO_LIMIT) if all_series is None else all_series
        #: Models that only failed calls name so far, and that may exist.
        self.failed_models = DistinctValues[str](FAILED_MODELS_MAX)
        #: What the request that is being read noted first.
        self._fresh: list[tuple[DistinctValues[Any], list[Any]]] = []

    def exceeded(
        self, regions: Collection[str], series: Collection[Combination], now: float
    ) -> str | None:
        """Note the names of one event or many; name the first limit that is passed, or None.

        ``regions`` are those of all events, ``series`` only what counts against the other limits.
        All are noted or none: what is refused for its region does not use up a model.
        """
        asked: tuple[tuple[str, DistinctValues[Any], Collection[Any]], ...] = (
            ("models", self.models, {model for _, _, model in series}),
            ("regions", self.regions, regions),
            ("providers", self.providers, {provider for _, provider, _ in series}),
            ("series", self.series, series),
            ("all_series", self.all_series, series),
        )
        with _ONE_AT_A_TIME:
            for limit, known, values in asked:
                if not known.has_room(values, now):
                    return limit
            for _, known, values in asked:
                if fresh := known.note(values, now):
                    self._fresh.append((known, fresh))
        return None

    def begin(self) -> None:
        """Begin to read a request; what it notes can be taken back until the next one begins."""
        self._fresh.clear()

    def take_back(self) -> None:
        """Forget the names that the request noted first: nothing of it was taken."""
        with _ONE_AT_A_TIME:
            for known, values in self._fresh:
                known.take_back(values)
        self._fresh.clear()


def _bucket(per_second: float | None, now: float) -> TokenBucket | None:
    return None if per_second is None else TokenBucket(per_second, now)
