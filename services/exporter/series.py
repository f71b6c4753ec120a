"""PURE. Which label sets are shown by name, and which are summed into "other"."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import add
from typing import Final

from services.exporter.rows import RegisterRow, Series, Totals

#: The label set that stands for all that are not shown by name.
OTHER: Final = Series("other", "other", "other")


class SeriesSelection:
    """Admits label sets by name up to a limit, for good.

    The first rows fill the places by tokens, most first; later newcomers take places that are
    left, again by tokens. What has a place keeps it, and what has none stays in "other": a
    series that changed sides because the ranking changed would vanish here and make "other"
    fall there, and Prometheus would take the fall for a restart of the counter. ``admitted`` are
    those that had a place before a restart, in the order they got it. ``other_shown`` says that
    "other" was shown then: what has no place at the first look is part of it, and stays so even if
    a higher limit leaves places; they are for newcomers.

    A label set without tokens, which failed requests can make of any name, must crowd out no other:
    of each ten places nine are for those that have some.
    """

    def __init__(
        self, max_series: int, admitted: Iterable[Series] = (), other_shown: bool = False
    ) -> None:
        self._max_series = max_series
        self._unused_max = max_series - max_series // 10 * 9
        self._others: frozenset[Series] | None = None if other_shown else frozenset()
        # A dict for its order: with a lower limit than before, the first keep their places.
        self._named: dict[Series, None] = dict.fromkeys(list(admitted)[:max_series])

    @property
    def named(self) -> Sequence[Series]:
        """Those shown by name, in the order of admission."""
        return list(self._named)

    def shown_as(self, series: Series) -> Series:
        """Give the label set that a series is shown under."""
        return series if series in self._named else OTHER

    def select(self, rows: Sequence[RegisterRow]) -> tuple[dict[Series, Totals], int]:
        """Return the totals to show by label set, and how many label sets "other" stands for."""
        self._admit(rows)
        named = self._named
        shown = {row.series: row.totals for row in rows if row.series in named}
        if len(shown) == len(rows):
            return shown, 0
        omitted = 0
        for row in rows:
            if row.series in named:
                continue
            # A gateway may really report "other", and so does the meter beyond its own limit: then
            # that row is part of the sum, since one label set must not appear twice.
            omitted += row.series != OTHER
            rest = shown.get(OTHER)
            shown[OTHER] = row.totals if rest is None else tuple(map(add, rest, row.totals))
        return shown, omitted

    def _admit(self, rows: Sequence[RegisterRow]) -> None:
        free = self._max_series - len(self._named)
        if free <= 0:
            return
        if self._others is None:
            self._others = frozenset(row.series for row in rows) - self._named.keys()
        kept_out = self._others | {OTHER}
        new = [row for row in rows if row.series not in self._named and row.series not in kept_out]
        # The name breaks ties, so that two exporters with equal rows choose equally.
        new.sort(key=lambda row: (not row.used, -row.tokens, row.series))
        unused_named = sum(not row.used for row in rows if row.series in self._named)
        used_count = sum(row.used for row in new)
        unused_free = max(0, min(self._unused_max - unused_named, free - used_count))
        chosen = new[: min(free, used_count + unused_free)]
        self._named.update(dict.fromkeys(row.series for row in chosen))
