"""PURE. Counters that never fall: the highest value shown so far of every sample."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Risen(Generic[K]):
    """What to show: for every key ever seen the highest values, and how many had to be held."""

    values: Mapping[K, tuple[int, ...]]
    #: Keys of which at least one value is now lower than, or gone since, one shown before.
    held: int


class HighWater(Generic[K]):
    """Remembers the highest values of each key, element by element.

    Prometheus takes any fall of a counter for a restart from zero and adds the whole new value
    to every rate: after a ClickHouse restored from a backup, billions of tokens that nobody used.
    So a value that falls is held at its last height until the true one has passed it. ``heights``
    are those of an earlier process.
    """

    def __init__(self, heights: Mapping[K, tuple[int, ...]] | None = None) -> None:
        self._highest: dict[K, tuple[int, ...]] = dict(heights or {})

    def begin_at(self, key: K, height: tuple[int, ...]) -> None:
        """Take over the height of a key that is to be shown from now on."""
        self._highest[key] = height

    def rise(self, values: Mapping[K, tuple[int, ...]]) -> Risen[K]:
        """Take the newest values and return what to show; keys that are missing are held."""
        held = sum(1 for key in self._highest if key not in values)
        for key, now in values.items():
            before = self._highest.get(key)
            if before is None or before == now:
                self._highest[key] = now
                continue
            highest = tuple(map(max, before, now))
            held += highest != now
            self._highest[key] = highest
        return Risen(dict(self._highest), held)
