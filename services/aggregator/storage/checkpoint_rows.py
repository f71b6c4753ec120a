"""PURE: checkpoints as rows of their table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from services.aggregator.core.partition import Checkpoint
from services.aggregator.decoding.batch_mark import BatchMark
from services.aggregator.storage.slice_blocks import to_time, utc_ms
from services.platform.kafka_log import Log

CHECKPOINT_COLUMNS: Final = (
    "log",
    "partition",
    "topic",
    "next_offset",
    "start_offset",
    "received",
    "accepted",
    "duplicate",
    "late",
    "rejected",
    "newest_event",
    "last_append",
    "last_batch_offset",
    "last_batch_crc",
)
#: Where the batch begins that ends at a checkpoint, if it is not known.
NO_BATCH: Final = -1


def checkpoint_rows(checkpoints: Mapping[int, Checkpoint], log: Log) -> list[list[Any]]:
    """The rows of a log's checkpoints, by partition."""
    return [
        [
            log.name,
            partition,
            log.topic,
            checkpoint.next_offset,
            checkpoint.start_offset,
            checkpoint.received,
            checkpoint.accepted,
            checkpoint.duplicate,
            checkpoint.late,
            dict(checkpoint.rejected),
            to_time(checkpoint.newest_event_ms),
            to_time(checkpoint.last_append_ms),
            NO_BATCH if checkpoint.last_batch is None else checkpoint.last_batch.base_offset,
            0 if checkpoint.last_batch is None else checkpoint.last_batch.crc,
        ]
        for partition, checkpoint in checkpoints.items()
    ]


def checkpoints_of(rows: Iterable[Sequence[Any]]) -> dict[int, Checkpoint]:
    """The checkpoints that rows say, by partition."""
    found: dict[int, Checkpoint] = {}
    for row in rows:
        _, partition, _, next_offset, start_offset, received, accepted, duplicate, late = row[:9]
        rejected, newest_event, last_append, batch_offset, crc = row[9:]
        found[int(partition)] = Checkpoint(
            next_offset,
            start_offset,
            received,
            accepted,
            duplicate,
            late,
            tuple(sorted(rejected.items())),
            utc_ms(newest_event),
            utc_ms(last_append),
            None if batch_offset == NO_BATCH else BatchMark(batch_offset, next_offset, crc),
        )
    return found
