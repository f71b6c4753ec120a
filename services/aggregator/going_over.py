"""Going over to the log that follows: noticing it, metering up to the end and no further, leaving.

Each worker looks for itself. When the checkpoints of all partitions, whoever meters them, have
reached the ends that `wattoken succeed` wrote, it ends in order and starts again as a process that
finds itself on the successor (`lineage`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from clickhouse_connect.driver.client import Client

from services.aggregator.decoding.columns import Decoded
from services.aggregator.errors import MeteringStoppedError, SuccessionUnknownError
from services.aggregator.host import MeterHost
from services.aggregator.kafka.transport import FetchedBatch
from services.platform.clickhouse import connect
from services.platform.errors import UnavailableError, WattokenError
from services.platform.log import get_logger
from services.platform.settings import ClickHouseSettings, KafkaSettings
from services.platform.succession import Succession
from services.platform.succession_table import read_next_offsets, read_successions
from services.platform.succession_topic import read_announced

logger = get_logger(__name__)

#: How often a worker looks whether its log has a successor, or is metered to its end.
LOOK_SECONDS: Final = 2.0
#: If the database lacks for so long what Kafka knew before, it is older.
UNKNOWN_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Found:
    """What a look found: the successor if there is one, and what is left to be metered before it.

    ``left`` counts offsets that no checkpoint covers.
    """

    successor: Succession | None
    left: int = 0


class SuccessorLook:
    """Asks ClickHouse whether a log has a successor; over a connection of its own. Synchronous."""

    def __init__(self, settings: ClickHouseSettings, log: str) -> None:
        self._settings = settings
        self._log = log
        self._client: Client | None = None

    def __call__(self) -> Found:
        """Look once. Raises `UnavailableError` and `ConfigurationError`."""
        if self._client is None:
            self._client = connect(self._settings)
        try:
            for succession in read_successions(self._client):
                if succession.predecessor_log == self._log:
                    left = succession.unmetered(read_next_offsets(self._client, self._log))
                    return Found(succession, left)
        except UnavailableError:
            broken, self._client = self._client, None
            broken.close()
            raise
        return Found(None)


def announced_successor(settings: KafkaSettings, log: str) -> Succession | None:
    """What Kafka knows of a log's successor, once its ends are known. Raises `UnavailableError`."""
    for succession in read_announced(settings):
        if succession.predecessor_log == log and succession.complete:
            return succession
    return None


async def keep_looking(app: MeterHost) -> None:
    """Look for the successor every so often, and go over when that is due."""
    look = SuccessorLook(app.settings, app.log_read.name)
    doubt = Doubt(app)
    while not app.should_stop:
        await app.sleep(LOOK_SECONDS)
        try:
            found = await app.loop.run_in_executor(None, look)
            if found.successor is None:
                await doubt.resolve()
                continue
        except MeteringStoppedError as error:
            await app.fail(error)
            return
        except WattokenError as error:
            # If it is for good, it stops the flush. A database that is being restored comes back.
            logger.warning("cannot look for a successor", error=str(error))
            continue
        take_note(app, found.successor)
        if not found.left:
            logger.info("the log is metered to its end, going over", log=app.log_read.name)
            app.start_again()
            return


class Doubt:
    """Whether Kafka knew of a successor when this worker began, and the database still does not."""

    def __init__(self, app: MeterHost) -> None:
        self._app = app
        # Kafka is told of ends just before the database is.
        self._until = app.loop.time() + UNKNOWN_SECONDS
        self._announced: Succession | None = None
        self._asked = False

    async def resolve(self) -> None:
        """Raise `SuccessionUnknownError` where that is so, `UnavailableError` without an answer."""
        app = self._app
        if not self._asked:
            self._announced = await app.loop.run_in_executor(
                None, announced_successor, app.settings, app.log_read.name
            )
            self._asked = True
        if self._announced is not None and app.loop.time() > self._until:
            raise SuccessionUnknownError(
                f"topic {app.log_read.topic} was followed by {self._announced.topic}, as Kafka"
                " knows and this database does not: was an older backup restored? Run"
                " `wattoken migrate`, which puts it back, and start the worker again:"
                " docs/runbook.md, 'The database does not know the successor'"
            )


def take_note(app: MeterHost, successor: Succession) -> None:
    """Have the log metered up to its end and no further from now on."""
    if app.lineage.successor is None:
        logger.info("the log has ended", log=app.log_read.name, successor=successor.topic)
        app.lineage = replace(app.lineage, successor=successor)


def up_to(
    end: int, batch: FetchedBatch, decoded: Decoded | None
) -> tuple[FetchedBatch, Decoded | None]:
    """What of a batch lies below an offset."""
    count = int(np.searchsorted(batch.records.offsets, end))
    records = batch.records.cut(0, count)
    marks = [mark for mark in batch.marks if mark.next_offset <= end]
    cut = replace(batch, records=records, next_offset=min(batch.next_offset, end), marks=marks)
    return cut, None if decoded is None else decoded.cut(0, count)
