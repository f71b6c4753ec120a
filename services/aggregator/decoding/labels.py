"""Small numbers for series, tenants and both together, so that slices are arrays of integers.

Shared by all partitions of a worker; a number means the same for the worker's life. Nothing here
has a limit but memory: how many series there may be is a rule of the log (`core.series_limit`).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import count
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar, cast

import numpy as np

from schemas.wire import UncheckedEvent
from services.aggregator.arrays.key_index import Ints, KeyIndex

#: An account is a tenant's number, this many bits up, and a series' number.
SERIES_BITS: Final = 31
ROOM_MIN: Final = 64

H = TypeVar("H", bound=Hashable)


class Series(NamedTuple):
    """What is metered apart, besides window and tenant."""

    entry: str
    region: str
    provider: str
    model: str


class Numbers(Generic[H]):
    """Numbers things in the order they are first met.

    Several threads may number at once: a number is published only after what it stands for.
    """

    def __init__(self) -> None:
        self.meaning: dict[int, H] = {}
        self._numbers: dict[H, int] = {}
        self._next = count()

    def __len__(self) -> int:
        return len(self.meaning)

    def number(self, thing: H) -> int:
        """The number of a thing."""
        number = self._numbers.get(thing)
        if number is None:
            number = next(self._next)
            self.meaning[number] = thing
            number = self._numbers.setdefault(thing, number)
        return number


class Lock(Protocol):
    """Lets one thread at a time in."""

    def __enter__(self) -> object:
        """Wait until nobody else is in."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: Any, /
    ) -> bool | None:
        """Let the next one in."""


class Unlocked:
    """Stands for a lock where one thread does everything."""

    def __enter__(self) -> None:
        """Wait for nobody."""

    def __exit__(self, *error: object) -> None:
        """Nobody waits."""


class Accounts:
    """Numbers for pairs of a tenant and a series, in both directions."""

    def __init__(self, lock: Lock) -> None:
        self._lock = lock
        self._index = KeyIndex()
        self._pairs: Ints = np.zeros(ROOM_MIN, np.int64)

    def __len__(self) -> int:
        return len(self._index)

    def number(self, tenants: Ints, series: Ints) -> Ints:
        """The number of each pair."""
        pairs = (tenants << SERIES_BITS) | series
        with self._lock:
            numbers = self._index.find(pairs)
            unknown = numbers < 0
            if unknown.any():
                self._add(np.unique(pairs[unknown]))
                numbers[unknown] = self._index.find(pairs[unknown])
        return numbers

    def _add(self, pairs: Ints) -> None:
        used = len(self._index)
        if used + len(pairs) > len(self._pairs):
            grown = np.zeros(2 * (used + len(pairs)), np.int64)
            grown[:used] = self._pairs[:used]
            self._pairs = grown
        self._pairs[used : used + len(pairs)] = pairs
        self._index.add(pairs)

    def meaning(self, numbers: Ints) -> tuple[Ints, Ints]:
        """The tenants and the series that numbers stand for."""
        pairs = self._pairs[numbers]
        return pairs >> SERIES_BITS, pairs & ((1 << SERIES_BITS) - 1)


class Labels:
    """The numbers of series, tenants and accounts, and what labels of events say at a glance.

    Where several threads number, they need a ``lock``.
    """

    def __init__(self, lock: Lock | None = None) -> None:
        self.series: Numbers[Series] = Numbers()
        self.tenants: Numbers[str] = Numbers()
        self.accounts = Accounts(Unlocked() if lock is None else lock)
        # Labels repeat from event to event: one look-up gives all there is to know.
        self._series_of: dict[tuple[str, ...], int] = {}

    def series_of(self, events: Sequence[UncheckedEvent]) -> list[int]:
        """The number of each event's series."""
        known = self._series_of
        found = [
            known.get((event.entry, event.region, event.provider, event.model)) for event in events
        ]
        if None in found:
            for index, event in enumerate(events):
                if found[index] is None:
                    series = Series(event.entry, event.region, event.provider, event.model)
                    found[index] = known[tuple(series)] = self.series.number(series)
        return cast("list[int]", found)
