"""A database with a known past: events a test made, written by the aggregator's own sink.

Two partitions, each flushed twice, so older versions lie beside newer ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from time import time_ns
from typing import Final, NamedTuple

import numpy as np

from schemas.metering_rules import DAY_MS, MeteringRules
from schemas.price_class import PLAIN, PriceClass
from services.aggregator.core.dead_letters import DeadLetter
from services.aggregator.core.partition import Checkpoint, Snapshot
from services.aggregator.core.slice_keys import pack
from services.aggregator.core.slices import SliceRows, summed
from services.aggregator.core.windows import FAMILIES, HOUR, UNIT, Family
from services.aggregator.decoding.labels import Labels, Series, Unit
from services.aggregator.storage.clickhouse_sink import ClickHouseSink
from services.platform.kafka_log import Log
from services.platform.rules_table import ensure_rules
from tests.integration.utility_oracle import Slice
from tests.versions.database import Database

LOG: Final = Log("a-cluster", "a-topic-id", "usage.events.v1", 2)
#: (region, provider, model), all known to the shipped catalogue, the last one by no part.
LINES: Final = (
    ("us-east", "openai", "gpt-5.6-luna"),
    ("cn-north", "deepseek", "deepseek-flash"),
    ("nowhere", "nobody", "unheard-of"),
)
MINUTES: Final = 50
CLASSES: Final = (
    *(PLAIN, PriceClass("batch", 0)),
    *(PriceClass("", 200_000), PriceClass("flex", 32_000)),
)
#: Payloads go after 30 days.
YESTERDAY_MS: Final = time_ns() // 1_000_000 - DAY_MS
LETTERS: Final = (
    DeadLetter(5, YESTERDAY_MS, "invalid_json", "not JSON", b"\xff{", 2),
    DeadLetter(6, YESTERDAY_MS + 333, "too_old", "36 days old", b"{}", 70_000),
)


class Event(NamedTuple):
    """One event: its time in seconds since 1970, its labels, its tokens, its price class."""

    time: int
    tenant: str
    entry: str
    region: str
    provider: str
    model: str
    partition: int
    input: int
    cached: int
    output: int
    price_class: PriceClass = PLAIN
    audio: int = 0
    pages: int = 0


@dataclass(frozen=True)
class Metered:
    """The database, the events in it, and the labels that the sink numbered them by."""

    database: Database
    sink: ClickHouseSink
    labels: Labels
    events: list[Event]

    def slices(self, seconds: int) -> list[Slice]:
        """Give the events as slices of so many seconds, one each."""
        return [
            Slice(
                one.time // seconds * seconds,
                *(one.region, one.provider, one.model, one.tenant, one.entry),
                # In a log of its own, each event is a slice of its own.
                *(f"{LOG.name}{number}", one.partition, 1, 1),
                *(one.input, one.cached, one.output, one.output),
            )
            for number, one in enumerate(self.events)
        ]

    def rows(self, family: Family, partition: int) -> SliceRows:
        """Give what the family's table must hold of a partition."""
        return rows_of(self.labels, family, of_partition(self.events, partition))


def meter(database: Database, now: int) -> Metered:
    """Write events around ``now``: the last minutes, the hours before, and a week ago."""
    labels = Labels()
    sink = ClickHouseSink(database.settings, LOG, labels)
    with database.connect() as client:
        ensure_rules(client, LOG, MeteringRules(too_old_ms=7 * DAY_MS), lambda line: None)
    events = list(_events(now))
    # The first flush has a part of the events, and so lower totals.
    for place, part in enumerate((events[: len(events) // 2], events)):
        snapshots = [_snapshot(labels, part, partition, place) for partition in (0, 1)]
        sink.write_rows(snapshots)
        sink.write_checkpoints({one.partition: one.checkpoint for one in snapshots})
    return Metered(database, sink, labels, events)


def of_partition(events: Iterable[Event], partition: int) -> list[Event]:
    """Give the events of one partition."""
    return [one for one in events if one.partition == partition]


def rows_of(labels: Labels, family: Family, events: Sequence[Event]) -> SliceRows:
    """Give the slices of these events, ascending by key."""

    def column(value: Callable[[Event], int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.array([value(one) for one in events], np.int64)

    if family is UNIT:
        events = [one for one in events if one.pages]
    pages = labels.units.number(Unit("pages"))
    keys = pack(
        family,
        labels,
        column(lambda one: family.window_number(1000 * one.time)),
        column(lambda one: labels.tenants.number(one.tenant)),
        column(lambda one: labels.series.number(Series(*one[2:6]))),
        column(lambda one: labels.classes.number(one.price_class) if family is HOUR else pages),
    )
    given = {
        "requests": column(lambda one: 1),
        "input_tokens": column(lambda one: one.input),
        "cache_read_input_tokens": column(lambda one: one.cached),
        "output_tokens": column(lambda one: one.output),
        "estimated_tokens": column(lambda one: one.output),
        "audio_input_tokens": column(lambda one: one.audio),
        "quantity": column(lambda one: one.pages),
    }
    none = np.zeros(len(events), np.int64)
    measures = [given.get(one, none) for one in family.measures]
    return SliceRows(*summed(keys, np.stack(measures, axis=1)))


def checkpoint(events: Sequence[Event], partition: int) -> Checkpoint:
    """Give the checkpoint behind these events of a partition."""
    mine = of_partition(events, partition)
    letters = LETTERS if partition == 1 else ()
    return Checkpoint(
        next_offset=len(mine) + len(letters) + 3,
        start_offset=3,
        received=len(mine) + len(letters),
        accepted=len(mine),
        rejected=tuple(sorted((one.reason, 1) for one in letters)),
        newest_event_ms=1000 * max(one.time for one in mine) + 1,
        last_append_ms=1000 * max(one.time for one in mine) + 999,
    )


def _snapshot(labels: Labels, events: Sequence[Event], partition: int, place: int) -> Snapshot:
    mine = of_partition(events, partition)
    return Snapshot(
        partition,
        {family.name: rows_of(labels, family, mine) for family in FAMILIES},
        list(LETTERS) if partition == 1 and place else [],
        checkpoint(events, partition),
        written_offset=0,
    )


def _events(now: int) -> Iterable[Event]:
    minute = now // 60 * 60
    times = [minute - 60 * number for number in range(MINUTES)]
    # The last of these are in two complete weeks, one after the other.
    times += [minute - 3600 * number for number in (2, 5, 30, 24 * 8, 24 * 15)]
    for number, time in enumerate(times):
        for place, line in enumerate(LINES):
            tokens = 1000 * (place + 1) + 7 * number
            tenant = ("acme", "zenith")[number % 2]
            sizes = (tokens, tokens // 3, tokens // 5)
            closer = (CLASSES[number % len(CLASSES)], number % 3, 5 * (number % 4 == 1))
            yield Event(time, tenant, "usage", *line, (number + place) % 2, *sizes, *closer)
    yield Event(minute - 7200, "acme", "debit", *LINES[0], 0, 50, 0, 5)
    yield Event(minute - 7200, "acme", "credit", *LINES[0], 1, 40, 0, 4)
