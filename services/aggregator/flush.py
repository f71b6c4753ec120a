"""The flush: what makes a batch of work durable, in this order.

1. Snapshot each partition's dirty slices, dead letters and next offset ``n`` between two batches.
2. Insert slices and dead letters. Any number of inserts; partial success is harmless.
3. Read the checkpoints: one lower than we last wrote means that the database went back in time.
4. Insert the checkpoints ``(log, partition) -> n`` with their absolute counts.
5. Tell the consumer, which commits ``n`` to Kafka for lag tools.

A crash between any two steps loses nothing: a worker recovers from the checkpoint, and rows that
are ahead of it are recognised by their version. A failed insert is retried in place without end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from services.aggregator.core.partition import Checkpoint, Snapshot
from services.aggregator.errors import DatabaseWentBackError
from services.aggregator.metrics import FLUSH_SECONDS, FLUSHED_ROWS
from services.aggregator.retry import persist
from services.aggregator.sink_thread import SinkCalls


class Flusher:
    """Writes snapshots; remembers the checkpoints it wrote, to notice a restored database."""

    def __init__(self, sink: SinkCalls) -> None:
        self._sink = sink
        self._written: dict[int, int] = {}

    def recovered(self, checkpoints: Mapping[int, Checkpoint]) -> None:
        """Take over what recovery read as the last known checkpoints."""
        for partition, checkpoint in checkpoints.items():
            self._written[partition] = checkpoint.next_offset if checkpoint.received else 0

    async def write(self, snapshots: Mapping[int, Snapshot], abandoned: Callable[[], bool]) -> None:
        """Do steps 2 to 4 for these snapshots by partition.

        Raises `AbandonedError` when ``abandoned()`` says so during a retry, and
        `DatabaseWentBackError`.
        """
        started = time.monotonic()
        await persist("insert rows", lambda: self.insert_rows(snapshots), abandoned)
        await persist("insert checkpoints", lambda: self.insert_checkpoints(snapshots), abandoned)
        FLUSH_SECONDS.observe(time.monotonic() - started)
        FLUSHED_ROWS.inc(sum(taken.row_count for taken in snapshots.values()))

    async def insert_rows(self, snapshots: Mapping[int, Snapshot]) -> None:
        """Do step 2."""
        await self._sink.call(lambda sink: sink.write_rows(snapshots.values()))

    async def insert_checkpoints(self, snapshots: Mapping[int, Snapshot]) -> None:
        """Do steps 3 and 4."""
        checkpoints = {partition: taken.checkpoint for partition, taken in snapshots.items()}
        self.check(checkpoints, await self._sink.call(lambda sink: sink.read_offsets()))
        await self._sink.call(lambda sink: sink.write_checkpoints(checkpoints))
        for partition, checkpoint in checkpoints.items():
            self._written[partition] = checkpoint.next_offset

    def check(self, partitions: Iterable[int], stored: Mapping[int, int]) -> None:
        """Raise `DatabaseWentBackError` where a stored checkpoint is below the last written."""
        for partition in partitions:
            if stored.get(partition, 0) < self._written.get(partition, 0):
                raise DatabaseWentBackError(
                    f"checkpoint of partition {partition} is {stored.get(partition, 0)},"
                    f" but {self._written[partition]} was written"
                )
