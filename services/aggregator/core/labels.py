"""Small numbers for series and tenants, so that slices are arrays of integers.

Shared by all partitions of a worker; a number means the same for the worker's life.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import count
from typing import Final, Generic, NamedTuple, TypeVar, cast

from schemas.wire import UncheckedEvent

#: Bits of a series' and of a tenant's number; with 21 bits of window number they fill a key.
SERIES_BITS: Final = 18
TENANT_BITS: Final = 24

H = TypeVar("H", bound=Hashable)


class Series(NamedTuple):
    """What is metered apart, besides window and tenant."""

    entry: str
    region: str
    provider: str
    model: str


class TooManyLabelsError(Exception):
    """More series or tenants than a slice key has room for."""


class Numbers(Generic[H]):
    """Numbers things in the order they are first met.

    Several threads may number at once: a number is published only after what it stands for.
    """

    def __init__(self, what: str, bits: int) -> None:
        self.meaning: dict[int, H] = {}
        self._what = what
        self._numbers: dict[H, int] = {}
        self._next = count()
        self._end = 1 << bits

    def __len__(self) -> int:
        return len(self.meaning)

    def number(self, thing: H) -> int:
        """The number of a thing. Raises `TooManyLabelsError` when there is none left."""
        number = self._numbers.get(thing)
        if number is None:
            number = next(self._next)
            if number >= self._end:
                raise TooManyLabelsError(f"more than {self._end} {self._what} in one worker")
            self.meaning[number] = thing
            number = self._numbers.setdefault(thing, number)
        return number


class Labels:
    """The numbers of series and tenants, and what the labels of events say at a glance.

    Unlimited ones are for numbers that never get into a slice's key.
    """

    def __init__(self, *, limited: bool = True) -> None:
        series_bits, tenant_bits = (SERIES_BITS, TENANT_BITS) if limited else (62, 62)
        self.series: Numbers[Series] = Numbers("series", series_bits)
        self.tenants: Numbers[str] = Numbers("tenants", tenant_bits)
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
