"""PURE. Events kept whole as rows: of `adjustments` (0018), and of `belated_events` (0023)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC
from typing import Any, Final

from schemas.measures import MEASURES
from schemas.price_class import UNITS
from services.aggregator.core.kept_events import MeteredEvent
from services.aggregator.core.partition import Snapshot
from services.aggregator.decoding.labels import Labels
from services.aggregator.storage.slice_blocks import to_time
from services.platform.kafka_log import Log

#: What an event says of its tokens; the other measures are made of it.
TOKENS: Final = tuple(
    name for name in MEASURES if name not in ("requests", "failed_requests", "estimated_tokens")
)
ADJUSTMENT_COLUMNS: Final = (
    *("log", "partition", "offset", "topic", "append_time"),
    *("tenant", "event_time", "window_start", "source", "id", "adjusts", "reason"),
    *("entry", "region", "provider", "model", "service_tier", "context_band"),
    *TOKENS,
    "units",
)
#: The same of plain usage, which corrects nothing.
BELATED_COLUMNS: Final = tuple(
    name for name in ADJUSTMENT_COLUMNS if name not in ("entry", "adjusts", "reason")
)
_OF_ADJUSTMENTS: Final = {ADJUSTMENT_COLUMNS.index(name) for name in ("entry", "adjusts", "reason")}


def adjustment_rows(snapshots: Iterable[Snapshot], labels: Labels, log: Log) -> list[list[Any]]:
    """The rows of all partitions, in the order of `ADJUSTMENT_COLUMNS`."""
    return [
        _row(snapshot.partition, one, labels, log)
        for snapshot in snapshots
        for one in snapshot.adjustments
    ]


def belated_rows(snapshots: Iterable[Snapshot], labels: Labels, log: Log) -> list[list[Any]]:
    """The rows of all partitions, in the order of `BELATED_COLUMNS`."""
    return [
        [
            value
            for place, value in enumerate(_row(snapshot.partition, one, labels, log))
            if place not in _OF_ADJUSTMENTS
        ]
        for snapshot in snapshots
        for one in snapshot.belated
    ]


def _row(partition: int, one: MeteredEvent, labels: Labels, log: Log) -> list[Any]:
    place = (log.name, partition, one.offset, log.topic, to_time(one.append_ms))
    return [*place, *_event_values(one, labels)]


def _event_values(one: MeteredEvent, labels: Labels) -> list[Any]:
    event = one.event
    time = event.time.astimezone(UTC)
    return [
        *(event.tenant, time, time.replace(minute=0, second=0, microsecond=0)),
        *(event.source, event.id, event.adjusts or "", event.reason or ""),
        *labels.series.meaning[one.series],
        *labels.classes.meaning[one.price_class],
        # What is not reported adds nothing, as in the slices.
        *(getattr(event, name) or 0 for name in TOKENS),
        {name: quantity for name in UNITS if (quantity := getattr(event, name))},
    ]
