"""Answers about history: `/control-room/series.json`, and the names to choose from."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

from services.exporter.control_room.figures import window_of
from services.exporter.control_room.questions import (
    NameQuestion,
    Question,
    name_question,
    question,
)
from services.exporter.control_room.series import Names, Series, series
from services.exporter.control_room.series_queries import read_names, read_series
from services.exporter.control_room.shelf import Shelf, Shelved
from services.exporter.sampler import Turns
from services.exporter.settings import ExporterSettings
from services.exporter.sources import Connection

#: Longest wait for an answer, the questions before it included.
TIMEOUT_SECONDS: Final = 20.0
#: An answer of minutes is good for as long as a minute is shown late; of longer steps, longer.
KEEP_SECONDS_MIN: Final = 5.0
KEEP_SECONDS_MAX: Final = 60.0
NAMES_KEEP_SECONDS: Final = 30.0


class History:
    """Reads over one connection, one question at a time, behind all that somebody waits for.

    Not thread-safe: for one event loop.
    """

    def __init__(self, settings: ExporterSettings, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._connection = Connection(settings, TIMEOUT_SECONDS, gentle=True)
        turns = Turns()
        self._series = Shelf[Question](
            "control room: series", self._read, TIMEOUT_SECONDS, turns, _keep_seconds
        )
        self._names = Shelf[NameQuestion](
            *("control room: names", self._find, TIMEOUT_SECONDS, turns),
            lambda _: NAMES_KEEP_SECONDS,
        )

    async def series(self, pairs: Iterable[tuple[str, str]]) -> Shelved:
        """Answer a question about a stretch of time. Raises `BadQuestion` and `Busy`."""
        return await self._series.answer(question(pairs, window_of(self._clock()).now))

    async def names(self, pairs: Iterable[tuple[str, str]]) -> Shelved:
        """Find names. Raises `BadQuestion` and `Busy`."""
        return await self._names.answer(name_question(pairs))

    def _read(self, asked: Question) -> Series:
        ranked, rows = self._connection.run(lambda client: read_series(client, asked))
        return series(asked, ranked, rows, self._clock())

    def _find(self, asked: NameQuestion) -> Names:
        names = self._connection.run(lambda client: read_names(client, asked))
        return Names(asked.find, names)


def _keep_seconds(asked: Question) -> float:
    return min(max(asked.step_seconds / 12, KEEP_SECONDS_MIN), KEEP_SECONDS_MAX)
