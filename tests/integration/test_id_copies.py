"""Copies of runs of ids: in a real ClickHouse, and by a real worker whose disk and log are lost."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from confluent_kafka import TopicPartition

from services.aggregator.arrays.cuts import Cut
from services.aggregator.arrays.sorted_ids import in_order
from services.aggregator.core.run_copies import Copied
from services.aggregator.core.runs import Settled, Stretch
from services.aggregator.decoding.labels import Labels
from services.aggregator.storage import copy_rows
from services.aggregator.storage.clickhouse_sink import ClickHouseSink
from services.aggregator.storage.copy_pieces import DamagedCopyError
from services.aggregator.storage.id_copies import CopiesOfPartition, IdCopies, write_copy
from services.aggregator.storage.run_file import RunFile, RunWriter, name_of
from services.aggregator.storage.run_format import Described
from services.aggregator.storage.seen_store import SeenStores
from services.local_stack.infrastructure import Infrastructure
from services.platform.kafka_log import Log
from tests.integration.faults import (
    PARTITIONS,
    checkpoints,
    kafka_admin,
    metering,
    metric,
    select,
    wait_until_metered,
)
from tests.integration.test_aggregator import event, producer, stop_in_order
from tests.versions.database import Database, DatabaseFactory
from tests.waiting import eventually

LOG = Log("cluster", "copies", "usage", 8)
KEEP_MS = 3_600_000
SETTLED = Settled(1_000_000, 2_000_000, KEEP_MS)


@pytest.fixture(scope="module")
def database(databases: DatabaseFactory) -> Database:
    return databases("copies")


@pytest.fixture
def sink(database: Database) -> Iterator[ClickHouseSink]:
    sink = ClickHouseSink(database.settings, LOG, Labels())
    yield sink
    sink.close()


def a_run(folder: Path, partition: int, begin: int, end: int, count: int, token: int) -> RunFile:
    """A run of random ids."""
    ids = np.random.default_rng(token).integers(0, 2**64, (count, 2), np.uint64)
    times_ms = np.linspace(begin, end, count, dtype=np.int64)
    stretch = Stretch(Cut(begin, begin), Cut(end, end), begin, end, count)
    described = Described(LOG.name, partition, stretch, token, count, 4, True)
    folder.mkdir(parents=True, exist_ok=True)
    with RunWriter(folder / "new", described) as writer:
        writer.add(in_order(ids, times_ms))
        run = writer.finish()
        writer.name(run, folder / name_of(run.stretch))
    return run


def never() -> bool:
    return False


def fetched(sink: ClickHouseSink, partition: int, copied: Copied) -> bytes:
    return b"".join(CopiesOfPartition(IdCopies(), sink, partition, never).pieces(copied))


@pytest.mark.parametrize("count", [1, 64, 1_000, 600_000])
def test_what_is_copied_is_fetched_again(sink: ClickHouseSink, tmp_path: Path, count: int) -> None:
    """Of one piece, and of more than go over the wire at once; one that ends below offset 0."""
    partition = {1: 1, 64: 2, 1_000: 3, 600_000: 4}[count]
    begin = -(1 << 62) if count == 64 else 100
    run = a_run(tmp_path, partition, begin, 1_000, count, 2**64 - count)
    copied = write_copy(sink, partition, SETTLED, run, never)
    assert copied is not None
    assert sink.read_copies([partition, 7]) == {partition: [copied], 7: []}
    assert fetched(sink, partition, copied) == run.path.read_bytes()


def test_a_copy_without_all_its_pieces_is_none(
    sink: ClickHouseSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy_rows, "PIECES_AT_ONCE", 2)
    run = a_run(tmp_path, 5, 0, 10, 300_000, 3)
    answers = iter([False, True])
    assert write_copy(sink, 5, SETTLED, run, lambda: next(answers)) is None
    assert sink.read_copies([5]) == {5: []}
    copied = write_copy(sink, 5, SETTLED, run, never)
    assert copied is not None
    assert sink.read_copies([5]) == {5: [copied]}, "and what was there twice is there once"
    assert fetched(sink, 5, copied) == run.path.read_bytes()


def test_a_piece_that_was_changed_is_noticed(
    sink: ClickHouseSink, database: Database, tmp_path: Path
) -> None:
    run = a_run(tmp_path, 6, 0, 10, 200_000, 4)
    copied = write_copy(sink, 6, SETTLED, run, never)
    assert copied is not None
    with database.connect() as client:
        client.command(
            "ALTER TABLE seen_runs UPDATE data = concat(substring(data, 1, 1000), 'x',"
            " substring(data, 1002)) WHERE partition = 6 AND piece = 2",
            settings={"mutations_sync": 2},
        )
    with pytest.raises(DamagedCopyError, match="piece 2 of 5"):
        fetched(sink, 6, copied)


def test_a_store_on_an_empty_disk_knows_what_was_copied(
    sink: ClickHouseSink, tmp_path: Path
) -> None:
    runs = [a_run(tmp_path / "a", 0, at, at + 1000, 5_000, 10 + at) for at in (0, 1000, 2000)]
    for run in runs:
        write_copy(sink, 0, SETTLED, run, never)
    stores = SeenStores(tmp_path / "b", LOG.name)
    copies = CopiesOfPartition(IdCopies(), sink, 0, never)
    store = stores.open(0, Settled(3000, 3000, KEEP_MS), 3000, copies)
    assert store.end == Cut(3000, 3000)
    ids = np.random.default_rng(1010).integers(0, 2**64, (5_000, 2), np.uint64)
    assert (store.last_seen(ids, 1 << 60) >= 1000).all()
    store.close()


def test_copies_go_by_themselves(database: Database) -> None:
    with database.connect() as client:
        [(engine, key, ttl)] = client.query(
            "SELECT engine, partition_key, create_table_query LIKE '%ttl_only_drop_parts = 1%'"
            " FROM system.tables WHERE database = currentDatabase() AND name = 'seen_runs'"
        ).result_rows
    assert (engine, key, ttl) == ("MergeTree", "toDate(copied_at)", 1)


EVENTS = 4_500


def delete_records(pipeline: Any, offsets: dict[int, int]) -> None:
    """Have the log begin at these offsets, as retention does."""
    admin = kafka_admin(pipeline)
    wanted = [TopicPartition(pipeline.topic, number, at) for number, at in offsets.items()]
    for answer in admin.delete_records(wanted).values():
        answer.result()


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_a_worker_without_disk_and_log_knows_every_id(
    infrastructure: Infrastructure, tmp_path: Path
) -> None:
    """Killed, its folder wiped, the log deleted up to the checkpoint; then all is sent again."""
    with metering(
        infrastructure,
        aggregator_state_dir=str(tmp_path / "ids"),
        aggregator_ids_in_memory_max="500",
        aggregator_flush_interval_seconds="0.2",
        aggregator_id_copies="true",
        aggregator_id_copies_lag_seconds="1",
    ) as pipeline:
        sender = producer(pipeline)

        def send(numbers: range) -> None:
            for number in numbers:
                sender.produce(pipeline.topic, event(number), str(number))
            assert sender.flush(20) == 0
            wait_until_metered(pipeline)

        def copied_up_to() -> dict[int, int]:
            rows = select(
                pipeline, "SELECT partition, max(end_offset) FROM seen_runs GROUP BY partition"
            )
            return dict(rows)

        for first in range(0, EVENTS, 500):
            send(range(first, first + 500))
        eventually("all are copied", lambda: copied_up_to() == checkpoints(pipeline))
        # What is seen now is not copied any more, and read from the log.
        pipeline.aggregator.kill(signal.SIGSTOP)
        for number in range(EVENTS, EVENTS + 300):
            sender.produce(pipeline.topic, event(number), str(number))
        assert sender.flush(20) == 0
        pipeline.aggregator.kill(signal.SIGKILL)
        pipeline.aggregator.wait(30)
        assert list((tmp_path / "ids").rglob("run_*"))
        shutil.rmtree(tmp_path / "ids")
        delete_records(pipeline, copied_up_to())
        pipeline.aggregator.start()
        wait_until_metered(pipeline)
        send(range(EVENTS + 300))
        found = select(
            pipeline, "SELECT sum(accepted), sum(duplicate), count() FROM checkpoints FINAL"
        )
        assert found == [(EVENTS + 300, EVENTS + 300, PARTITIONS)]
        assert select(pipeline, "SELECT sum(requests) FROM registers") == [(EVENTS + 300,)]
        assert metric(pipeline.aggregator, "id_copy_bytes_total") > 22 * EVENTS
        assert metric(pipeline.aggregator, "records_total") == EVENTS + 600
        stop_in_order(pipeline)
