"""The counters: which label sets have a name, and heights that never fall, over restarts too.

The order is what makes that true. What is to be shown is first written down, and shown only then:
so whatever a scrape has seen is on disk, and a process that starts again after any crash begins at
least there. Without a folder, or with a disk that refuses, the heights are this process's own, and
`Shown.kept` says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from services.exporter import families
from services.exporter.families import CountKey
from services.exporter.heights import Heights
from services.exporter.heights_file import HeightsFile
from services.exporter.high_water import HighWater
from services.exporter.rows import CheckpointRow, RegisterRow, Series, Totals
from services.exporter.series import OTHER, SeriesSelection


@dataclass(frozen=True, slots=True)
class Shown:
    """What a scrape may show of the counters."""

    series: Mapping[Series, Totals] = field(default_factory=dict)
    counts: Mapping[CountKey, tuple[int, ...]] = field(default_factory=dict)
    #: How many label sets "other" stands for.
    omitted: int = 0
    #: How many label sets and event counts are held above what ClickHouse says now.
    held_series: int = 0
    held_counts: int = 0
    #: Whether all of this is on disk.
    kept: bool = False


class Counters:
    """Not thread-safe: for one scrape at a time.

    Heights are written at most every ``least_seconds``: a scrape that comes sooner shows what the
    one before it showed, so nothing that is not kept is ever seen.
    """

    def __init__(
        self,
        max_series: int,
        file: HeightsFile,
        least_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = file
        self._least_seconds = least_seconds
        self._clock = clock
        known = file.read()
        self.selection = SeriesSelection(max_series, known.named, OTHER in known.series)
        # With a lower limit than before, some names are part of "other" now.
        names = {*self.selection.named, OTHER}
        heights = {series: totals for series, totals in known.series.items() if series in names}
        # They may have a name again after a later start, and must not be lower then.
        self._hidden = {
            series: totals for series, totals in known.series.items() if series not in names
        }
        self._series: HighWater[Series] = HighWater(heights)
        self._counts: HighWater[CountKey] = HighWater(known.counts)
        self._shown = Shown(series=heights, counts=known.counts)
        self._written_at: float | None = None

    def rise(
        self, registers: Sequence[RegisterRow] | None, checkpoints: Sequence[CheckpointRow] | None
    ) -> Shown:
        """Take the newest rows, or None for those that could not be read, and say what to show."""
        now = self._clock()
        if self._written_at is not None and now < self._written_at + self._least_seconds:
            return self._shown
        shown = self._shown
        if registers is not None:
            selected, omitted = self.selection.select(registers)
            for name in self._hidden.keys() & selected.keys():
                self._series.begin_at(name, self._hidden.pop(name))
            series = self._series.rise(selected)
            shown = replace(shown, series=series.values, omitted=omitted, held_series=series.held)
        if checkpoints is not None:
            counts = self._counts.rise(families.event_counts(checkpoints))
            shown = replace(shown, counts=counts.values, held_counts=counts.held)
        if (shown.series, shown.counts) != (
            self._shown.series,
            self._shown.counts,
        ) or not shown.kept:
            every = {**self._hidden, **shown.series}
            heights = Heights(self.selection.named, every, shown.counts)
            shown = replace(shown, kept=self._file.write(heights))
            self._written_at = now if shown.kept else None
        self._shown = shown
        return shown
