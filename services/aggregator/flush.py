"""The flush: what makes a batch of work durable, in this order.

1. Snapshot each partition's dirty slices, adjustments, dead letters, ids seen and next offset ``n``
   between two batches; write the ids to disk, as a run (`core.runs`). Where the disk refuses, a
   later flush writes them.
2. Insert slices, adjustments and dead letters. Any number of inserts; partial success is harmless.
3. Read the checkpoints: one lower than what the snapshot's state last wrote or recovered from means
   that the database went back in time, and lacks rows that this state believes to be there.
4. Insert the checkpoints ``(log, partition) -> n`` with their absolute counts.
5. Tell the consumer, which commits ``n`` to Kafka for lag tools.

A crash between any two steps loses nothing: a worker recovers from the checkpoint, and rows that
are ahead of it are recognised by their version. A failed insert is retried in place without end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from services.aggregator.core.partition import Snapshot
from services.aggregator.errors import DatabaseWentBackError
from services.aggregator.metrics import FLUSH_SECONDS, FLUSHED_ROWS
from services.aggregator.storage.retry import persist
from services.aggregator.storage.sink_thread import SinkCalls
from services.platform.tracing import NO_TRACES, Traces


class Flusher:
    """Writes snapshots. Holds nothing: what the database must have is said by each snapshot."""

    def __init__(self, sink: SinkCalls, traces: Traces = NO_TRACES) -> None:
        self._sink = sink
        self._traces = traces

    async def write(self, snapshots: Sequence[Snapshot], abandoned: Callable[[], bool]) -> None:
        """Do steps 2 to 4 for these snapshots, one of each partition.

        Raises `AbandonedError` when ``abandoned()`` says so during a retry, and
        `DatabaseWentBackError`.
        """
        started = time.monotonic()
        await persist("insert rows", lambda: self.insert_rows(snapshots), abandoned)
        await persist("insert checkpoints", lambda: self.insert_checkpoints(snapshots), abandoned)
        FLUSH_SECONDS.observe(time.monotonic() - started, self._traces.exemplar())
        FLUSHED_ROWS.inc(sum(taken.row_count for taken in snapshots))

    async def insert_rows(self, snapshots: Sequence[Snapshot]) -> None:
        """Do step 2."""
        with self._traces.span("insert rows"):
            await self._sink.call(lambda sink: sink.write_rows(snapshots))

    async def insert_checkpoints(self, snapshots: Sequence[Snapshot]) -> None:
        """Do steps 3 and 4."""
        written = {taken.partition: taken.written_offset for taken in snapshots}
        with self._traces.span("read checkpoints"):
            check_not_back(written, await self._sink.call(lambda sink: sink.read_offsets()))
        checkpoints = {taken.partition: taken.checkpoint for taken in snapshots}
        with self._traces.span("insert checkpoints"):
            await self._sink.call(lambda sink: sink.write_checkpoints(checkpoints))


def check_not_back(written: Mapping[int, int], stored: Mapping[int, int]) -> None:
    """Raise `DatabaseWentBackError` where a stored checkpoint is below what was written.

    Both are next offsets by partition; ``written`` must be from before ``stored`` was asked for.
    """
    for partition, offset in written.items():
        if stored.get(partition, 0) < offset:
            raise DatabaseWentBackError(
                f"checkpoint of partition {partition} is {stored.get(partition, 0)},"
                f" but {offset} was written"
            )
