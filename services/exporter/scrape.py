"""One scrape: read the sources side by side, remember what was shown, return the families."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version

from services.exporter import families
from services.exporter.counters import Counters, Shown
from services.exporter.electricity import electricity_families
from services.exporter.exposition import Family, family
from services.exporter.heights_file import HeightsFile
from services.exporter.metric_definitions import FRESH, KEPT
from services.exporter.readings import Readers, Readings
from services.exporter.rows import CheckpointRow, LogEnds
from services.exporter.settings import ExporterSettings
from services.platform.log import get_logger

_log = get_logger(__name__)


class Scraper:
    """Makes the families afresh for each scrape; scrapes that come at once share one.

    Not thread-safe: for one event loop. Concurrent scrapes await one task, so what was shown is
    updated by one scrape at a time. Raises `ConfigurationError` where another exporter has the
    state folder.
    """

    def __init__(self, settings: ExporterSettings, clock: Callable[[], float] = time.time) -> None:
        self._readers = Readers(settings)
        self._clock = clock
        self._topic = settings.kafka_topic
        self._build = (version("wattoken"), settings.revision)
        self._heights_file = HeightsFile(settings.exporter_state_dir)
        self._counters = Counters(
            settings.exporter_max_series, self._heights_file, settings.exporter_heights_seconds
        )
        self._held = Shown()
        self._known_ends: LogEnds | None = None
        self._closed: dict[str, int] = {}
        self._under_way: asyncio.Task[list[Family]] | None = None

    async def scrape(self) -> list[Family]:
        """Return the families of now. Never raises, never waits longer than the timeout."""
        if self._under_way is None or self._under_way.done():
            self._under_way = asyncio.create_task(self._scrape())
        # Shielded: a client that hangs up must not take the answer from the others.
        return await asyncio.shield(self._under_way)

    async def clickhouse_error(self) -> str | None:
        """Tell why ClickHouse cannot be read now, or None when it can."""
        return (await self._readers.checkpoints.sample()).error

    async def _scrape(self) -> list[Family]:
        readings = await self._readers.read()
        # Ten thousand label sets take a while: not in the event loop, where health is answered.
        return await asyncio.to_thread(lambda: list(self._families(readings)))

    def close(self) -> None:
        """Let another exporter use the state folder."""
        self._heights_file.close()

    def _families(self, readings: Readings) -> Iterator[Family]:
        registers, canaries = families.without_canaries(readings.registers.value)
        shown = self._counters.rise(registers, readings.checkpoints.value)
        self._log_held(shown)
        if readings.registers.value is not None:
            yield from families.register_families(shown.series)
            yield family("wattoken_omitted_series", [((), shown.omitted)])
            yield from families.canary_families(canaries)
            yield from self._families_by_name(readings)
        if readings.clickhouse_answers:
            yield from self._kept_families(readings)
        if readings.checkpoints.value is not None:
            yield from families.event_families(shown.counts)
            yield from self._pipeline_families(readings.checkpoints.value, readings.log.value)
        held = shown.held_series + shown.held_counts
        yield family("wattoken_held_series", [((), held)])
        yield family("wattoken_heights_kept", [((), int(shown.kept))])
        started = families.billing_period_start(self._clock())
        yield family("wattoken_billing_period_start_timestamp_seconds", [((), started)])
        yield from _scrape_families(readings, self._build)

    def _families_by_name(self, readings: Readings) -> Iterator[Family]:
        """Yield what has the registers' label sets, and so the same ones in "other"."""
        selection = self._counters.selection
        named, shown_as = selection.named, selection.shown_as
        if readings.demand.value is not None:
            yield from families.demand_families(readings.demand.value, named, shown_as)
        if readings.bills.value is not None:
            yield families.bill_family(readings.bills.value, shown_as)
            yield families.unpriced_family(readings.bills.value, shown_as)
        if readings.energy.value is not None:
            yield from electricity_families(readings.energy.value, shown_as)
        if readings.catalogue.value is not None:
            yield families.price_family(readings.catalogue.value.prices, named)
            yield families.model_family(readings.catalogue.value.models, named)

    def _kept_families(self, readings: Readings) -> Iterator[Family]:
        if readings.intervals.value is not None:
            # A region that was silent for longer than is looked back keeps its last interval.
            self._closed |= readings.intervals.value
            yield families.interval_family(self._closed)
        yield from families.peak_families(readings.peaks.value or ())
        yield from families.league_families(readings.league.value or ())
        if readings.catalogue.value is not None:
            yield families.capacity_family(readings.catalogue.value.capacities)
            yield families.price_list_family(readings.catalogue.value.price_lists)
        if readings.reconciliation.value is not None:
            yield from families.reconciliation_families(readings.reconciliation.value)

    def _pipeline_families(
        self, rows: list[CheckpointRow], ends: LogEnds | None
    ) -> Iterator[Family]:
        if ends is not None:
            self._known_ends = ends
            yield families.lag_family(rows, ends)
            yield families.checkpoint_family(rows, ends)
        current = families.current_rows(rows, self._topic, self._known_ends)
        yield families.watermark_family(current)

    def _log_held(self, shown: Shown) -> None:
        """Log when counters begin to be held and when they no longer are."""
        before, self._held = self._held, shown
        for of, was, now in (
            ("registers", before.held_series, shown.held_series),
            ("checkpoints", before.held_counts, shown.held_counts),
        ):
            if now > 0 and was == 0:
                _log.warning(
                    "clickhouse says less than was shown, counters are held", of=of, held=now
                )
            elif now == 0 and was > 0:
                _log.warning("clickhouse has caught up, counters are no longer held", of=of)


def _scrape_families(readings: Readings, build: tuple[str, str]) -> Iterator[Family]:
    outcomes = {name: getattr(readings, name) for name in (*FRESH, *KEPT)}
    up = readings.registers.error is None and readings.checkpoints.error is None
    yield family("wattoken_build", [(build, 1)])
    yield family("wattoken_up", [((), int(up))])
    yield family(
        "wattoken_scrape_collector_success",
        [((name,), int(sample.error is None)) for name, sample in outcomes.items()],
    )
    yield family(
        "wattoken_scrape_collector_duration_seconds",
        [((name,), sample.duration_seconds) for name, sample in outcomes.items()],
    )
