"""Copies of runs of ids, as a worker makes and fetches them over its connections to ClickHouse.

Copies are made in the background, behind the checkpoints that confirm what they are of, and at a
pace that leaves the database to others; they are fetched while a partition is recovered.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from services.aggregator.core.log_time import CLOCK_STEP_MAX_MS
from services.aggregator.core.run_copies import Copied
from services.aggregator.core.runs import Settled
from services.aggregator.metrics import ID_COPIES_BEHIND, ID_COPY_BYTES
from services.aggregator.storage.clickhouse_sink import ClickHouseSink
from services.aggregator.storage.copy_pieces import PIECE_BYTES, pieces_for
from services.aggregator.storage.retry import AbandonedError
from services.aggregator.storage.run_file import RunFile
from services.aggregator.storage.seen_store import SeenStores
from services.aggregator.storage.sink_thread import SinkCalls
from services.platform.log import get_logger

logger = get_logger(__name__)

#: A worker copies no faster than this.
BYTES_PER_SECOND: Final = 16 * 1024 * 1024


class IdCopies:
    """The copies that one worker fetches."""

    def __init__(self) -> None:
        #: Pieces fetched so far: how a watch tells that a long recovery moves on.
        self.progress = 0

    def of(
        self, sink: ClickHouseSink, partition: int, abandoned: Callable[[], bool]
    ) -> CopiesOfPartition:
        """Those of a partition, to be fetched over a connection."""
        return CopiesOfPartition(self, sink, partition, abandoned)


class CopiesOfPartition:
    """`seen_place.Copies` of a partition, for as long as it is recovered."""

    def __init__(
        self,
        copies: IdCopies,
        sink: ClickHouseSink,
        partition: int,
        abandoned: Callable[[], bool],
    ) -> None:
        self._copies = copies
        self._sink = sink
        self._partition = partition
        self._abandoned = abandoned

    def listed(self) -> Sequence[Copied]:
        """All that are whole."""
        return self._sink.read_copies([self._partition])[self._partition]

    def pieces(self, copied: Copied) -> Iterator[bytes]:
        """The bytes of one. Raises `AbandonedError` in the midst of it."""
        logger.info(
            "fetching a copy of ids",
            partition=self._partition,
            begin=copied.stretch.begin.offset,
            end=copied.stretch.end.offset,
            ids=copied.stretch.count,
        )
        for piece in self._sink.read_pieces(self._partition, copied):
            if self._abandoned():
                raise AbandonedError("fetch copies of ids")
            self._copies.progress += 1
            ID_COPY_BYTES.labels("fetched").inc(len(piece))
            yield piece


class IdCopier:
    """Copies the runs of a worker's partitions, over a connection of its own."""

    def __init__(
        self,
        stores: SeenStores,
        sink: SinkCalls,
        settled: Callable[[], Mapping[int, Settled]],
        lag_ms: int,
    ) -> None:
        """``settled`` tells what lies below the checkpoints that are in the database.

        What was seen is to be copied after ``lag_ms``.
        """
        self._stores = stores
        self._sink = sink
        self._settled = settled
        self._lag_ms = lag_ms

    async def copy_due(self, now_ms: int) -> None:
        """Copy the runs that are due; ``now_ms`` is the time by a clock.

        Raises `UnavailableError` and `ConfigurationError` where ClickHouse does not take them.
        """
        partitions = list(self._settled())
        if not partitions:
            return
        done = 0
        try:
            listed = await self._sink.call(lambda sink: sink.read_copies(partitions))
            for partition in partitions:
                while copied := await self._copy_next(partition, listed[partition], now_ms):
                    listed[partition].append(copied)
                done += 1
        finally:
            ID_COPIES_BEHIND.set(len(partitions) - done)

    async def _copy_next(
        self, partition: int, copies: Sequence[Copied], now_ms: int
    ) -> Copied | None:
        # Both as of now: of a store that was opened for an earlier checkpoint no more is copied.
        settled, store = self._settled().get(partition), self._stores.opened(partition)
        if settled is None or store is None:
            return None
        # By a clock too: what came last is copied as well when nothing comes behind it.
        until_ms = max(now_ms, settled.log_ms) - self._lag_ms

        def copy(sink: ClickHouseSink) -> Copied | None:
            return store.copy(
                copies, settled, until_ms, partial(write_copy, sink, partition, settled)
            )

        return await self._sink.call(copy)


def write_copy(
    sink: ClickHouseSink,
    partition: int,
    settled: Settled,
    run: RunFile,
    given_up: Callable[[], bool],
) -> Copied | None:
    """Copy a run; None where that was given up.

    Raises `RunFault` where it cannot be read, and what `ClickHouseCopies.write_copy` raises.
    """
    size = run.file_bytes
    copied = Copied(run.stretch, run.described.token, pieces_for(size), size)
    # As long as it can matter in log time, and as long again as a broker's clock may step.
    keep_ms = run.stretch.end.log_ms - settled.past_ms + CLOCK_STEP_MAX_MS
    pieces = paced(run.pieces(PIECE_BYTES))
    if not sink.write_copy(partition, copied, pieces, keep_ms // 1000, given_up):
        return None
    logger.debug("copied a run of ids", partition=partition, ids=run.stretch.count)
    return copied


def paced(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Hand pieces on, with a rest behind each."""
    for piece in pieces:
        yield piece
        ID_COPY_BYTES.labels("copied").inc(len(piece))
        time.sleep(len(piece) / BYTES_PER_SECOND)
