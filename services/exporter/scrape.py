"""One scrape: read the sources side by side, remember what was shown, return the families."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from importlib.metadata import version
from typing import TypeVar

from prometheus_client.core import Metric

from services.exporter import collector
from services.exporter.collector import CountKey, family
from services.exporter.high_water import HighWater
from services.exporter.queries import read_checkpoints, read_registers
from services.exporter.rows import CheckpointRow, LogEnds, RegisterRow, Series
from services.exporter.sampler import Sample, Sampler
from services.exporter.series import SeriesSelection
from services.exporter.settings import ExporterSettings
from services.exporter.sources import ClickHouseReader, LogEndsReader
from services.platform.log import get_logger

T = TypeVar("T")
_log = get_logger(__name__)


class Scraper:
    """Makes the families afresh for each scrape; scrapes that come at once share one.

    Not thread-safe: for one event loop. Concurrent scrapes await one task, so what was shown is
    updated by one scrape at a time.
    """

    def __init__(self, settings: ExporterSettings) -> None:
        limit = settings.exporter_timeout_seconds
        self._registers = Sampler("registers", ClickHouseReader(settings, read_registers), limit)
        self._checkpoints = Sampler(
            "checkpoints", ClickHouseReader(settings, read_checkpoints), limit
        )
        self._log = Sampler("log", LogEndsReader(settings), limit)
        self._topic = settings.kafka_topic
        self._build = (version("wattoken"), settings.revision)
        self._selection = SeriesSelection(settings.exporter_max_series)
        self._series: HighWater[Series] = HighWater()
        self._counts: HighWater[CountKey] = HighWater()
        self._held_series = 0
        self._held_counts = 0
        self._known_log: str | None = None
        self._under_way: asyncio.Task[list[Metric]] | None = None

    async def scrape(self) -> list[Metric]:
        """Return the families of now. Never raises, never waits longer than the timeout."""
        if self._under_way is None or self._under_way.done():
            self._under_way = asyncio.create_task(self._scrape())
        # Shielded: a client that hangs up must not take the answer from the others.
        return await asyncio.shield(self._under_way)

    async def clickhouse_error(self) -> str | None:
        """Tell why ClickHouse cannot be read now, or None when it can."""
        return (await self._checkpoints.sample()).error

    async def _scrape(self) -> list[Metric]:
        samples = await asyncio.gather(
            self._registers.sample(), self._checkpoints.sample(), self._log.sample()
        )
        # Ten thousand label sets take a while: not in the event loop, where health is answered.
        return await asyncio.to_thread(self._families, *samples)

    def _families(
        self,
        registers: Sample[list[RegisterRow]],
        checkpoints: Sample[list[CheckpointRow]],
        log: Sample[LogEnds],
    ) -> list[Metric]:
        families: list[Metric] = []
        if registers.value is not None:
            families += self._register_families(registers.value)
        if checkpoints.value is not None:
            families += self._pipeline_families(checkpoints.value, log.value)
        families.append(
            family("wattoken_held_series", [((), self._held_series + self._held_counts)])
        )
        up = registers.value is not None and checkpoints.value is not None
        outcomes = {
            "registers": _outcome(registers),
            "checkpoints": _outcome(checkpoints),
            "log": _outcome(log),
        }
        return [*families, *_scrape_families(outcomes, up=up, build=self._build)]

    def _register_families(self, rows: list[RegisterRow]) -> Iterator[Metric]:
        shown, omitted = self._selection.select(rows)
        risen = self._series.rise(shown)
        self._held_series = _log_held(self._held_series, risen.held, "registers")
        yield from collector.register_families(risen.values)
        yield family("wattoken_omitted_series", [((), omitted)])

    def _pipeline_families(
        self, rows: list[CheckpointRow], ends: LogEnds | None
    ) -> Iterator[Metric]:
        risen = self._counts.rise(collector.event_counts(rows))
        self._held_counts = _log_held(self._held_counts, risen.held, "checkpoints")
        yield from collector.event_families(risen.values)
        if ends is not None:
            self._known_log = ends.log_name
            yield collector.lag_family(rows, ends)
        current = collector.current_log(rows, self._topic, self._known_log)
        yield collector.watermark_family(rows, current)


def _outcome(sample: Sample[T]) -> tuple[bool, float]:
    """Success and duration in seconds."""
    return sample.error is None, sample.duration_seconds


def _scrape_families(
    outcomes: dict[str, tuple[bool, float]], *, up: bool, build: tuple[str, str]
) -> Iterator[Metric]:
    yield family("wattoken_build", [(build, 1)])
    yield family("wattoken_up", [((), up)])
    yield family(
        "wattoken_scrape_collector_success",
        [((name,), success) for name, (success, _) in outcomes.items()],
    )
    yield family(
        "wattoken_scrape_collector_duration_seconds",
        [((name,), seconds) for name, (_, seconds) in outcomes.items()],
    )


def _log_held(before: int, now: int, of: str) -> int:
    """Log when counters begin to be held and when they no longer are; return ``now``."""
    if now > 0 and before == 0:
        _log.warning("clickhouse says less than was shown, counters are held", of=of, held=now)
    elif now == 0 and before > 0:
        _log.warning("clickhouse has caught up, counters are no longer held", of=of)
    return now
