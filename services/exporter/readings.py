"""The collectors: which source each reads, how often, and what its reading becomes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from clickhouse_connect.driver.client import Client

from services.exporter import queries
from services.exporter.electricity import ElectricityRow
from services.exporter.electricity_queries import read_energy
from services.exporter.metric_definitions import Collector
from services.exporter.reconciliation import read_reconciliation
from services.exporter.rows import (
    Bill,
    Catalogue,
    CheckpointRow,
    DemandRow,
    LogEnds,
    PeakRow,
    Reconciliation,
    RegisterRow,
    WeekRow,
)
from services.exporter.sampler import KeptSampler, Sample, Sampler, Turns, timed
from services.exporter.settings import ExporterSettings
from services.exporter.sources import (
    ClickHouseReader,
    Connection,
    KnownSuccessions,
    LogEndsReader,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Readings:
    """What the collectors found for one scrape."""

    registers: Sample[list[RegisterRow]]
    checkpoints: Sample[list[CheckpointRow]]
    log: Sample[LogEnds]
    demand: Sample[list[DemandRow]]
    intervals: Sample[dict[str, int]]
    peaks: Sample[list[PeakRow]]
    bills: Sample[list[Bill]]
    energy: Sample[list[ElectricityRow]]
    league: Sample[list[WeekRow]]
    catalogue: Sample[Catalogue]
    reconciliation: Sample[Reconciliation]

    @property
    def clickhouse_answers(self) -> bool:
        """Whether anything was read from ClickHouse for this scrape itself."""
        return self.registers.error is None or self.checkpoints.error is None


class Readers:
    """Reads all sources side by side. For one event loop.

    Registers, checkpoints and the log's ends are read for every scrape, each in a thread and over
    a connection of its own. The rest is kept for a while and read in turns, over one connection.
    """

    def __init__(self, settings: ExporterSettings) -> None:
        self._settings = settings
        self._turns = Turns()
        limit = settings.exporter_timeout_seconds
        self._slow_limit = max(limit, settings.exporter_reading_timeout_seconds)
        self._shared = Connection(settings, self._slow_limit, gentle=True)
        registers = ClickHouseReader(settings, queries.read_registers)
        self._registers = Sampler("registers", registers, limit)
        successions = KnownSuccessions()
        read_both = successions.read_with(queries.read_checkpoints)
        checkpoints = ClickHouseReader(settings, read_both)
        self.checkpoints = Sampler("checkpoints", checkpoints, limit)
        self._log = Sampler("log", LogEndsReader(settings, successions), limit)
        self._demand = self._kept("demand", queries.read_demand)
        self._intervals = self._kept("intervals", queries.IntervalReader())
        self._catalogue = self._kept("catalogue", queries.read_catalogue)
        self._bills = self._kept("bills", queries.read_bills)
        self._energy = self._kept("energy", read_energy)
        self._league = self._kept("league", queries.read_league)
        self._peaks = self._kept("peaks", queries.read_peaks)
        self._reconciliation = self._kept("reconciliation", read_reconciliation)

    def _kept(self, name: Collector, read: Callable[[Client], T]) -> KeptSampler[T]:
        reader = ClickHouseReader(self._settings, read, self._shared)
        return KeptSampler(
            Sampler(name, timed(reader), self._slow_limit, self._turns),
            self._settings.exporter_refresh_seconds,
            self._settings.exporter_timeout_seconds,
        )

    async def read(self) -> Readings:
        """Read what is due. Never raises, never waits longer than the scrape's timeout."""
        samples: dict[str, Sample[Any]] = {}

        async def sample(source: Sampler[Any] | KeptSampler[Any]) -> None:
            samples[source.name] = await source.sample()

        # In the order in which they take turns at first: what is quick does not wait.
        sources: list[Sampler[Any] | KeptSampler[Any]] = [
            *(self._registers, self.checkpoints, self._log),
            *(self._demand, self._catalogue, self._intervals, self._bills),
            *(self._energy, self._league, self._peaks, self._reconciliation),
        ]
        await asyncio.gather(*map(sample, sources))
        return Readings(**samples)
