"""PURE. Which label sets are shown by name, and which are summed into "other"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.exporter.rows import RegisterRow, Series, Totals

#: The label set that stands for all that are not shown by name.
OTHER: Final = Series("other", "other", "other")


class SeriesSelection:
    """Admits label sets by name up to a limit, for the life of the process.

    The first rows fill the places by tokens, most first; later newcomers take places that are
    left, again by tokens. What has a place keeps it, and what has none stays in "other": a
    series that changed sides because the ranking changed would vanish here and make "other"
    fall there, and Prometheus would take the fall for a restart of the counter. After a restart
    the ranking is taken anew, so with more label sets than places `max_series` should be raised.
    """

    def __init__(self, max_series: int) -> None:
        self._max_series = max_series
        self._named: set[Series] = set()

    def select(self, rows: Sequence[RegisterRow]) -> tuple[dict[Series, Totals], int]:
        """Return the totals to show by label set, and how many label sets "other" stands for."""
        self._admit(rows)
        shown: dict[Series, Totals] = {}
        omitted = 0
        for row in rows:
            if row.series in self._named:
                shown[row.series] = row.totals
                continue
            # A gateway may really report "other": then that row is part of the sum, since one
            # label set must not appear twice.
            omitted += row.series != OTHER
            rest = shown.get(OTHER)
            shown[OTHER] = row.totals if rest is None else _sum(rest, row.totals)
        return shown, omitted

    def _admit(self, rows: Sequence[RegisterRow]) -> None:
        free = self._max_series - len(self._named)
        if free <= 0:
            return
        new = [row for row in rows if row.series not in self._named and row.series != OTHER]
        # The name breaks ties, so that two exporters with equal rows choose equally.
        new.sort(key=lambda row: (-row.tokens, row.series))
        self._named.update(row.series for row in new[:free])


def _sum(left: Totals, right: Totals) -> Totals:
    return tuple(a + b for a, b in zip(left, right, strict=True))
