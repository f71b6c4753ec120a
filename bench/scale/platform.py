"""PURE. What a platform of so many requests a second needs, by the costs that were measured.

Each number that is not measured is a field of `Assumptions`, and so an option of the command.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final

from bench.scale.costs import Costs
from bench.scale.distinct import Keys, of, uniform, zipf
from bench.scale.shapes import OWN_FORM_US
from bench.scale.writing import Load, Written, rows_of
from services.aggregator.core.pacing import pause

HOUR_SECONDS: Final = 3600
DAY_SECONDS: Final = 24 * HOUR_SECONDS
MONTH_HOURS: Final = 730
GIGA: Final = 1e9


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What is taken for given: measured where it says so, else a setting of the reader's."""

    tokens_per_request: float = 2500

    #: How busy machines are planned to be on average; a peak of twice the average fits in.
    busy: float = 0.5
    #: Series, of a model in a region, that a tenant uses in an hour.
    series_per_tenant: int = 4
    models: int = 200
    regions: int = 12
    #: Partitions by worker: room to have as many workers more.
    partitions_per_worker: int = 2
    partitions_min: int = 12
    #: Measured: events of the usual shape, 4,000 in a batch, lz4: 54 bytes, and 16 of the key and 6
    #: of the record, which do not shrink. Small batches take more.
    log_bytes_per_event: float = 76.0
    log_days: float = 7.0
    replicas: int = 3
    #: Measured (docs/performance.md): hours that ids matter, their bytes on disk and in memory.
    id_hours: float = 49.0
    id_disk_bytes: float = 22.0
    id_memory_bytes: float = 2.0
    #: Measured: from 14,657 slices to 1,091,302 a worker takes 799 MB more, at the most, while it
    #: recovers them (scaling.json).
    slice_memory_bytes: float = 742.0
    keep_hours: float = 72.0
    #: Measured: one process on one processor, batches of 500 events.
    ingest_events_per_second: float = 151_000
    #: Measured for reading: 0.2 us of the broker an event. Taking and copying it is assumed.
    broker_us: float = 1.0
    #: Assumed: how often a row is written again by merges.
    merges: float = 3.0
    #: Assumed: a row on disk, compressed.
    row_disk_bytes: float = 50.0
    hour_days: float = 400.0
    minute_days: float = 90.0
    #: List prices, on demand, AWS us-east-1, June 2026: m7g.large (2 vCPU, 8 GiB) at 0.0816 an
    #: hour, gp3 at 0.08 a GB-month, traffic between zones at 0.01 a GB in each direction.
    processor_usd_per_hour: float = 0.0408
    memory_gb_per_processor: float = 4.0
    disk_usd_per_gb_month: float = 0.08
    zone_usd_per_gb: float = 0.02


@dataclass(frozen=True, slots=True)
class Platform:
    """How much is asked of it."""

    requests_per_second: float
    tenants: int


@dataclass(frozen=True, slots=True)
class Need:
    """What a platform needs; bytes where nothing else is said, processors at work on average."""

    platform: Platform
    workers: int
    partitions: int
    flush_seconds: float
    rows_per_event: float
    hour_rows: float
    ingest_processors: float
    worker_processors: float
    broker_processors: float
    clickhouse_processors: float
    slice_memory: float
    id_memory: float
    log_disk: float
    id_disk: float
    rows_disk: float
    zone_bytes_per_second: float

    @property
    def rows_per_second(self) -> float:
        """Rows that are inserted."""
        return self.rows_per_event * self.platform.requests_per_second

    @property
    def processors(self) -> float:
        """At work on average, of all parts together."""
        ours = self.ingest_processors + self.worker_processors
        return ours + self.broker_processors + self.clickhouse_processors

    @property
    def disk(self) -> float:
        """Of all parts together."""
        return self.log_disk + self.id_disk + self.rows_disk

    @property
    def memory(self) -> float:
        """What workers hold of slices and ids."""
        return self.slice_memory + self.id_memory


def keys_of(platform: Platform, given: Assumptions, partitions: int) -> tuple[Keys, Keys]:
    """Series and accounts in so many partitions: a tenant's events go to all of them."""
    partition = uniform(partitions)
    series = of(zipf(given.models), zipf(given.regions), partition)
    return series, of(zipf(platform.tenants), uniform(given.series_per_tenant), partition)


def flushed(platform: Platform, given: Assumptions, workers: int, partitions: int) -> Written:
    """What one of so many workers writes by event, once it keeps up."""
    series, accounts = keys_of(platform, given, max(1, partitions // workers))
    seconds = pause(1.0, workers, 0.0).usual
    events = platform.requests_per_second / workers * seconds
    load = Load(ceil(events), seconds / 60, series, accounts)
    rows = rows_of(load, events) / events
    return Written(rows, rows, 0.0)


@dataclass(frozen=True, slots=True)
class Crew:
    """As many workers as keep up, what they write, and their processor time by event."""

    workers: int
    partitions: int
    wrote: Written
    worker_us: float


def crew(platform: Platform, costs: Costs, clickhouse_row_us: float, given: Assumptions) -> Crew:
    """The least workers that keep up, each with the two processors that were measured."""
    workers = 1
    while True:
        partitions = max(given.partitions_min, given.partitions_per_worker * workers)
        wrote = flushed(platform, given, workers, partitions)
        worker_us = costs.processor_us(OWN_FORM_US, wrote) - clickhouse_row_us * wrote.work
        wanted = ceil(platform.requests_per_second * worker_us / 1e6 / (2 * given.busy))
        if wanted <= workers:
            return Crew(workers, partitions, wrote, worker_us)
        workers = wanted


def need(platform: Platform, costs: Costs, clickhouse_row_us: float, given: Assumptions) -> Need:
    """Size everything, planned as busy as is assumed."""
    rate = platform.requests_per_second
    found = crew(platform, costs, clickhouse_row_us, given)
    series, accounts = keys_of(platform, given, found.partitions)
    hour_rows = accounts.distinct(rate * HOUR_SECONDS)
    minute_rows = series.distinct(rate * 60)
    kept = hour_rows * 24 * given.hour_days + minute_rows * 60 * 24 * given.minute_days
    ids = rate * given.id_hours * HOUR_SECONDS
    log_bytes = rate * given.log_bytes_per_event
    return Need(
        platform,
        found.workers,
        found.partitions,
        pause(1.0, found.workers, 0.0).usual,
        found.wrote.rows,
        hour_rows,
        ingest_processors=rate / given.ingest_events_per_second,
        worker_processors=rate * found.worker_us / 1e6,
        broker_processors=rate * given.broker_us / 1e6,
        clickhouse_processors=rate * found.wrote.work * clickhouse_row_us * given.merges / 1e6,
        slice_memory=hour_rows * given.keep_hours * given.slice_memory_bytes,
        id_memory=ids * given.id_memory_bytes,
        log_disk=log_bytes * given.log_days * DAY_SECONDS * given.replicas,
        id_disk=ids * given.id_disk_bytes,
        rows_disk=kept * given.row_disk_bytes,
        # Of three zones: two copies go to others, and two thirds of what is sent and read.
        zone_bytes_per_second=log_bytes * (given.replicas - 1 + 4 / 3),
    )


@dataclass(frozen=True, slots=True)
class Money:
    """USD a month, by list prices."""

    processors: float
    memory: float
    disk: float
    network: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.processors + self.memory + self.disk + self.network


def money(found: Need, given: Assumptions) -> Money:
    """What a need costs a month: machines as busy as planned, and more where memory asks for it."""
    bought = found.processors / given.busy
    beyond = max(0.0, found.memory / GIGA - bought * given.memory_gb_per_processor)
    hour = given.processor_usd_per_hour * MONTH_HOURS
    seconds = MONTH_HOURS * HOUR_SECONDS
    return Money(
        bought * hour,
        beyond / given.memory_gb_per_processor * hour,
        found.disk / GIGA * given.disk_usd_per_gb_month,
        found.zone_bytes_per_second * seconds / GIGA * given.zone_usd_per_gb,
    )
