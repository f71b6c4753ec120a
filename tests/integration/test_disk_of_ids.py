"""A worker whose disk of ids is full, damaged or gone goes on, exact, and says what is wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import httpx
import pytest
from confluent_kafka import Producer

from services.local_stack.infrastructure import Infrastructure
from services.local_stack.pipeline import Pipeline
from tests.full_disk import SmallDisk, small_disk
from tests.integration.faults import PARTITIONS, metering, metric, select, wait_until_metered
from tests.integration.test_aggregator import event, producer, stop_in_order
from tests.waiting import eventually

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

EVENTS = 2_000


class Metered:
    """A worker with room for few ids in memory, and what it has to have counted."""

    def __init__(self, pipeline: Pipeline, disk: SmallDisk) -> None:
        self._pipeline = pipeline
        self._producer: Producer = producer(pipeline)
        self._accepted = self._duplicate = 0
        self.disk = disk
        self.folder = disk.path / "state"

    def send(self, numbers: Iterable[int]) -> None:
        """Put events onto the log, in their order; each id goes to one partition."""
        for number in numbers:
            self._producer.produce(self._pipeline.topic, event(number), str(number))
        assert self._producer.flush(20) == 0

    def meter(self, fresh: range, resent: range) -> None:
        """Send events for the first time, and others again; hold that all are counted so."""
        pid = self._pipeline.aggregator.pid
        self.send(fresh)
        wait_until_metered(self._pipeline)
        self.send(resent)
        wait_until_metered(self._pipeline)
        self._accepted += len(fresh)
        self._duplicate += len(resent)
        query = "SELECT sum(accepted), sum(duplicate) FROM checkpoints FINAL"
        assert select(self._pipeline, query) == [(self._accepted, self._duplicate)]
        requests = select(self._pipeline, "SELECT sum(requests) FROM registers")
        assert requests == [(self._accepted,)]
        assert self._pipeline.aggregator.pid == pid, "it did not stop"

    def restart(self) -> None:
        stop_in_order(self._pipeline)
        self._pipeline.aggregator.start()
        eventually("recovered", self.recovered)

    def recovered(self) -> bool:
        """Whether the worker answers, and has all partitions."""
        try:
            return self.shown("partitions") == PARTITIONS
        except httpx.TransportError:
            return False

    def shown(self, name: str) -> float:
        return metric(self._pipeline.aggregator, name)


def batch_of(number: int) -> range:
    return range(number * EVENTS, (number + 1) * EVENTS)


def garble(folder: Path, pattern: str) -> int:
    """Change some bytes of files in place, as a disk does; say of how many."""
    paths = [path for path in folder.rglob(pattern) if path.stat().st_size > 64]
    for path in paths:
        with path.open("r+b") as file:
            for at in range(8, path.stat().st_size, 64):
                file.seek(at)
                file.write(b"\x5a")
    return len(paths)


def gone(metered: Metered) -> None:
    shutil.rmtree(metered.folder)
    metered.meter(batch_of(1), range(2 * EVENTS))
    assert metered.shown("id_store_faults_total") > 0
    assert list(metered.folder.rglob("run_*")), "recreated"
    assert metered.shown("id_stores_refusing") == 0


def full(metered: Metered) -> None:
    before = metered.shown("id_store_faults_total")
    metered.disk.fill()
    metered.meter(batch_of(2), range(3 * EVENTS))
    assert metered.shown("id_stores_refusing") > 0
    assert metered.shown("id_store_faults_total") > before
    metered.disk.free()


def damaged_while_it_runs(metered: Metered) -> None:
    metered.restart()
    metered.meter(batch_of(3), batch_of(3))
    eventually("moved", lambda: metered.shown("seen_ids") < EVENTS)
    metered.restart()
    assert garble(metered.folder, "run_*")
    metered.meter(batch_of(4), range(5 * EVENTS))
    assert metered.shown("id_store_faults_total") > 0


#: In an order in which only the last restarts: after ids were lost the disk has a rest, until then.
FAULTS: tuple[Callable[[Metered], None], ...] = (gone, full, damaged_while_it_runs)


def test_a_disk_of_ids_that_fails_stops_no_worker(
    infrastructure: Infrastructure, tmp_path: Path
) -> None:
    with (
        small_disk(tmp_path / "disk", 48) as disk,
        metering(
            infrastructure,
            aggregator_state_dir=str(disk.path / "state"),
            aggregator_ids_in_memory_max="100",
            aggregator_flush_interval_seconds="0.2",
        ) as pipeline,
    ):
        metered = Metered(pipeline, disk)
        metered.meter(batch_of(0), batch_of(0))
        assert list(metered.folder.rglob("run_*")), "ids are on disk"
        assert metered.shown("id_store_faults_total") == 0
        for fault in FAULTS:
            fault(metered)
