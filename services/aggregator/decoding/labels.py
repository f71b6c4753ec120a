"""Small numbers for series, tenants and both together, so that slices are arrays of integers.

And for what else keeps slices apart: price classes and units.

Shared by all partitions of a worker; a number means the same for the worker's life. Nothing here
has a limit but memory: how many series there may be is a rule of the log (`core.series_limit`).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import count
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar, cast

import numpy as np

from schemas.price_class import PLAIN, SERVICE_TIERS, UNITS, PriceClass
from schemas.wire import PlainEvent
from services.aggregator.arrays.key_index import Ints, KeyIndex

#: An account is a tenant's number, this many bits up, and a series' number.
SERIES_BITS: Final = 31
ROOM_MIN: Final = 64
#: So many price classes can be told apart: those of eight tiers, none included, and of five hundred
#: thresholds. Rules have `THRESHOLDS_MAX` of them, and are changed a few times in a worker's life.
CLASSES_MAX: Final = 1 << 12
NO_CLASS: Final = -1

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


class Unit(NamedTuple):
    """What is billed beside tokens, by the name of its field."""

    unit: str


class TooManyClassesError(Exception):
    """There are more price classes than slices can be told apart by."""


class Classes(Numbers[PriceClass]):
    """Numbers of price classes; 0 is that of an event without a tier and in no band."""

    def __init__(self) -> None:
        super().__init__()
        self.number(PLAIN)
        self._tables: dict[tuple[int, ...], Ints] = {}

    def number(self, thing: PriceClass) -> int:
        """The number of a class. Raises `TooManyClassesError`."""
        number = super().number(thing)
        if number >= CLASSES_MAX:
            raise TooManyClassesError(
                f"more than {CLASSES_MAX} price classes: change context_thresholds less often, or"
                " restart the worker after a change"
            )
        return number

    def of(self, tiers: Ints, input_tokens: Ints, thresholds: tuple[int, ...]) -> Ints:
        """The class of each event, by its tier (as `Decoded` has it) and its input."""
        # How many thresholds lie below the input: the band is the last of them.
        bands = np.searchsorted(np.array(thresholds, np.int64), input_tokens)
        table = self._tables.get(thresholds)
        if table is None:
            table = np.full((1 + len(SERVICE_TIERS), 1 + len(thresholds)), NO_CLASS)
            self._tables[thresholds] = table
        found: Ints = table[tiers, bands]
        if len(found) and found.min() == NO_CLASS:
            unknown = found == NO_CLASS
            for tier, band in set(
                zip(tiers[unknown].tolist(), bands[unknown].tolist(), strict=True)
            ):
                table[tier, band] = self.number(
                    PriceClass(("", *SERVICE_TIERS)[tier], (0, *thresholds)[band])
                )
            found = table[tiers, bands]
        return found


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
        self.classes = Classes()
        self.units: Numbers[Unit] = Numbers()
        for unit in UNITS:
            self.units.number(Unit(unit))
        self.accounts = Accounts(Unlocked() if lock is None else lock)
        # Labels repeat from event to event: one look-up gives all there is to know.
        self._series_of: dict[tuple[str, ...], int] = {}

    def series_of(self, events: Sequence[PlainEvent]) -> list[int]:
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
