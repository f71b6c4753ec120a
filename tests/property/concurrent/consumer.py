"""The transport's consumer over the model log, with what Faust's service and aiokafka do."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from faust.types import TP, ConsumerMessage

from services.aggregator.kafka.transport import Consumer, FetchedBatch
from tests.property.concurrent.log import TOPIC, Fetched, decoded_of

if TYPE_CHECKING:
    from tests.property.concurrent.app import ModelApp


def tp(partition: int) -> TP:
    return TP(TOPIC, partition)


def _silent(*arguments: Any) -> None:
    """Tell nobody."""


SILENT_LOG: Any = SimpleNamespace(
    **dict.fromkeys(("dev", "debug", "info", "warning", "exception"), _silent)
)


class ModelConsumer(Consumer):
    """The transport's consumer over the model log."""

    log = SILENT_LOG

    consumer_stopped_errors = ()

    def __init__(self, app: ModelApp) -> None:
        """Set what Faust's own would, as far as it is used."""
        self.app = app
        self.checkpointed = {}
        self.epoch = 0
        self.positions = dict
        self.log_name = app.log_read.name
        self.flow_active = False
        self.can_resume_flow = asyncio.Event()
        self.suspend_flow = asyncio.Event()
        self.not_waiting_next_records = asyncio.Event()
        self._active_partitions: set[TP] = set()
        self._paused_partitions: set[TP] = set()
        self._buffered_partitions: set[TP] = set()
        self._read_offset: Any = defaultdict(lambda: None)
        self._committed_offset: Any = defaultdict(lambda: None)
        self._unacked_messages: Any = set()
        self._commit_every = None
        self._stopped = asyncio.Event()
        self.diag = SimpleNamespace(set_flag=lambda flag: None, unset_flag=lambda flag: None)
        self.callback = app.on_message
        #: What aiokafka's thread knows: where it fetches next.
        self.fetch_positions: dict[TP, int] = {}
        self.reassigning = False

    # What Faust's service and thread do.

    @property
    def should_stop(self) -> bool:
        return bool(self._stopped.is_set())

    async def sleep(self, n: Any) -> None:
        await asyncio.sleep(n)

    async def wait(self, event: Any, *more: Any, timeout: Any = None) -> None:
        await event.wait()

    async def wait_first(self, *coroutines: Any, timeout: Any = None) -> None:
        futures = [asyncio.ensure_future(one) for one in coroutines]
        try:
            await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
            for future in futures:
                if future.done():
                    future.result()
        finally:
            for future in futures:
                if not future.done():
                    future.cancel()

    def assignment(self) -> set[TP]:
        return {tp(partition) for partition in self.app.assigned}

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        def seek() -> None:
            for where, offset in partitions.items():
                self.fetch_positions[where] = offset
                if offset > 0:
                    self._read_offset[where] = offset
                else:
                    self._read_offset.pop(where, None)

        await self.app.process.wait_for("seek", seek)

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:
        process = self.app.process

        if not self.flow_active:
            return {}

        def readable() -> list[TP]:
            # aiokafka hands nothing out while partitions are being assigned, and then all that it
            # has where no partition is active.
            if self.reassigning:
                return []
            # By the topic's name: of a topic that was recreated it reads what lies there now.
            ends = process.world.log.partitions
            return sorted(
                where
                for where in active_partitions or self.assignment()
                if where in self.fetch_positions
                and where.partition in self.app.assigned
                and where.partition < len(ends)
                and self.fetch_positions[where] < ends[where.partition].end
            )

        def fetch() -> dict[TP, Fetched]:
            found: dict[TP, Fetched] = {}
            if process.world.fetch_finds_nothing():
                return found  # In time.
            for where in readable():
                partition = process.world.log.partitions[where.partition]
                count = process.world.fetch_size()
                if count:
                    fetched = partition.fetch(self.fetch_positions[where], count)
                    self.fetch_positions[where] = fetched.next_offset
                    found[where] = fetched
            return found

        return await process.wait_for("fetch", fetch, lambda: bool(readable()))

    def _batch_message(self, where: TP, epoch: int, fetched: Any) -> ConsumerMessage:
        batch = FetchedBatch(
            where,
            epoch,
            fetched.first_offset,
            fetched.next_offset,
            fetched.records,
            self._decoded(fetched.records.values) if len(fetched.records) else None,
        )
        return SimpleNamespace(
            tp=where, topic=TOPIC, offset=fetched.next_offset - 1, key=None, value=batch
        )

    def _decoded(self, values: Any) -> Any:
        process = self.app.process
        if process.world.answers_late():
            return process.wait_for("decode", lambda: decoded_of(values))
        future = process.loop.create_future()
        future.set_result(decoded_of(values))
        return future

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Commit what `_new_offset` says; refused to one that is not in the group any more."""
        offsets = self._filter_committable_offsets(list(self._filter_tps_with_pending_acks()))
        offsets = {where: offset for where, offset in offsets.items() if where in self.assignment()}
        if not offsets:
            return False
        group, process = self.app.process.world.group, self.app.process
        generation = self.app.consumer_generation_id
        await process.wait_for("commit", lambda: group.commit(process, generation, offsets))
        self._committed_offset.update(offsets)
        return True
