"""Small numbers for label sets, so that slices are arrays of integers and not dicts of strings.

Shared by all partitions of a worker; a number means the same label set for the worker's life.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import Final, NamedTuple

from schemas.identity import identity_prefix
from schemas.wire import UncheckedEvent

#: Fields remembered at once for the hot path; beyond this the memory is started anew.
REMEMBERED_MAX: Final = 500_000


class Series(NamedTuple):
    """What is metered apart, besides window and tenant."""

    entry: str
    region: str
    provider: str
    model: str


class Known(NamedTuple):
    """What the labels of an event say: numbers of the slices it goes to, prefix of its identity."""

    tenant_series: int
    series: int
    identity_prefix: str


class Labels:
    """Numbers series, and pairs of tenant and series, in the order they are first met.

    Several threads may number at once: a number is published only after what it stands for.
    """

    def __init__(self) -> None:
        self.series: dict[int, Series] = {}
        self.tenant_series: dict[int, tuple[str, int]] = {}
        self._series_numbers: dict[Series, int] = {}
        self._tenant_series_numbers: dict[tuple[str, int], int] = {}
        self._next_series = count()
        self._next_tenant_series = count()
        # Labels repeat from event to event: one look-up gives all there is to know.
        self._remembered: dict[tuple[str, ...], Known] = {}

    def number_series(self, series: Series) -> int:
        """The number of a series."""
        number = self._series_numbers.get(series)
        if number is None:
            number = next(self._next_series)
            self.series[number] = series
            number = self._series_numbers.setdefault(series, number)
        return number

    def number_tenant_series(self, tenant: str, series: int) -> int:
        """The number of a tenant's series, given the series' own number."""
        pair = (tenant, series)
        number = self._tenant_series_numbers.get(pair)
        if number is None:
            number = next(self._next_tenant_series)
            self.tenant_series[number] = pair
            number = self._tenant_series_numbers.setdefault(pair, number)
        return number

    def number_events(self, events: Iterable[UncheckedEvent]) -> list[Known]:
        """What the labels of each event say."""
        if len(self._remembered) > REMEMBERED_MAX:
            self._remembered.clear()
        remember = self._remembered.get
        found = []
        for event in events:
            fields = (
                event.tenant, event.source, event.region, event.provider, event.model, event.entry
            )  # fmt: skip
            known = remember(fields)
            if known is None:
                series = self.number_series(
                    Series(event.entry, event.region, event.provider, event.model)
                )
                known = self._remembered[fields] = Known(
                    self.number_tenant_series(event.tenant, series),
                    series,
                    identity_prefix(event.tenant, event.source),
                )
            found.append(known)
        return found
