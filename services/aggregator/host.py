"""What the app is to the agent and the tasks that it runs, so that none of them has to know it."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from services.aggregator.core.continuity import RecordsReplacedError
from services.aggregator.core.dedup import IdsUnreadableError
from services.aggregator.errors import DatabaseWentBackError
from services.aggregator.kafka.log_offsets import LogOffsets
from services.aggregator.meter import Meter
from services.aggregator.settings import AggregatorSettings
from services.aggregator.storage.id_copies import IdCopies
from services.aggregator.succession.inheritance import Inheritance
from services.aggregator.succession.lineage import Lineage
from services.platform.kafka_log import Log


class MeterHost(Protocol):
    """A worker's app: its parts, and what happens to it."""

    settings: AggregatorSettings
    meter: Meter
    lineage: Lineage
    log_read: Log
    offsets: LogOffsets
    inheritance: Inheritance
    id_copies: IdCopies

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that it runs on."""

    @property
    def consumer(self) -> Any:
        """The consumer of `services.aggregator.kafka.transport`."""

    @property
    def should_stop(self) -> bool:
        """Whether it is about to end."""

    async def sleep(self, seconds: float) -> None:
        """Sleep, or wake up early because it is about to end."""

    def assigned_partitions(self) -> list[int]:
        """The partitions of the log that the group has given to this worker."""

    async def start_over(self, error: DatabaseWentBackError) -> None:
        """Forget everything and recover from what the database has now."""

    async def seek_again(self) -> None:
        """Read each partition from where its state stands."""

    async def read_ids_again(self, partition: int, error: IdsUnreadableError) -> None:
        """Recover a partition that was dropped, as its ids on disk could not be read."""

    async def read_records_again(self, partition: int, error: RecordsReplacedError) -> None:
        """Recover a partition that was dropped, as the log has other records by now."""

    async def fail(self, error: Exception) -> None:
        """End the worker with an error."""

    def start_again(self) -> None:
        """End, and begin as another process with another log of the chain."""
