"""How long a worker needs for the ids of a partition when its disk is empty: copies are fetched.

A store is filled as a worker fills it, its runs are copied to a ClickHouse on this machine, and
another store opens on an empty folder. What comes on top of it in a worker, its start and the few
minutes of log behind the copies, is measured by `bench.recovery`.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.errors import BenchError
from bench.machine import ROOT
from services.local_stack.process_table import memory_of

BATCH_IDS = 50_000
#: So many batches are one run: what a catching-up worker reads between two flushes.
FLUSH_BATCHES = 10
#: Of the last copies, so many ids are asked for when the store is open.
ASKED_IDS = 50_000


@contextmanager
def clickhouse(folder: Path, report: Callable[[str], None]) -> Iterator[int]:
    """A ClickHouse in a folder, with all tables; gives its port."""
    from services.local_stack.clickhouse import clickhouse_library, clickhouse_plan
    from services.local_stack.ports import pick_port
    from services.local_stack.supervisor import Supervisor

    port, tcp_port = pick_port(None), pick_port(None)
    data = folder / "clickhouse"
    data.mkdir()
    plan = clickhouse_plan(
        clickhouse_library(report), data, port, tcp_port, folder / "clickhouse.log"
    )
    with Supervisor() as supervisor:
        supervisor.launch(plan).wait_ready()
        yield port


def fill_copy_and_fetch(folder: Path, ids: int, report: Callable[[str], None]) -> dict[str, float]:
    """Fill a store, copy its runs, fetch them into an empty folder; report what each took."""
    import numpy as np

    from schemas.metering_rules import MeteringRules
    from services.aggregator.arrays.cuts import Cut
    from services.aggregator.core.dedup import Sightings
    from services.aggregator.core.log_time import CLOCK_STEP_MAX_MS
    from services.aggregator.core.runs import Settled
    from services.aggregator.decoding.labels import Labels
    from services.aggregator.storage import id_copies
    from services.aggregator.storage.clickhouse_sink import ClickHouseSink
    from services.aggregator.storage.id_copies import IdCopier, IdCopies
    from services.aggregator.storage.seen_store import SeenStores
    from services.aggregator.storage.sink_thread import SinkThread
    from services.platform.kafka_log import Log
    from services.platform.malloc_tuning import map_large_arrays
    from services.platform.migrate import migrate_tables
    from services.platform.settings import ClickHouseSettings

    map_large_arrays()
    keep_ms = MeteringRules().dedup_horizon_ms + CLOCK_STEP_MAX_MS
    log = Log("cluster", "bench", "bench", 1)
    rng = np.random.default_rng(1)

    def cut(offset: int) -> Cut:
        return Cut(offset, offset * keep_ms // ids)

    with clickhouse(folder, report) as port:
        settings = ClickHouseSettings(clickhouse_port=port)
        migrate_tables(settings, lambda line: None)
        stores = SeenStores(folder / "filled", log.name)
        store = stores.open(0, Settled(0, 0, keep_ms), 0)
        flush_ids = BATCH_IDS * FLUSH_BATCHES
        for first in range(0, ids, flush_ids):
            begin, end = cut(first), cut(min(first + flush_ids, ids))
            batch = rng.integers(0, 2**64, (end.offset - begin.offset, 2), np.uint64)
            times_ms = np.linspace(begin.log_ms, end.log_ms, len(batch), dtype=np.int64)
            if not store.keep(Sightings(batch, times_ms, begin, end)):
                raise BenchError("the disk took no ids")
            while store.tidy(Settled(end.offset, end.log_ms, keep_ms)):
                pass
        settled = Settled(ids, keep_ms, keep_ms)
        report(f"{ids} ids filled in")

        sink = ClickHouseSink(settings, log, Labels())
        copier = IdCopier(stores, SinkThread(sink, "copy"), lambda: {0: settled}, 0)
        # As fast as it goes: a worker leaves the database to others.
        id_copies.BYTES_PER_SECOND = 1 << 62  # type: ignore[misc]
        started = time.monotonic()
        asyncio.run(copier.copy_due(settled.log_ms))
        copying = time.monotonic() - started
        copies = sink.read_copies([0])[0]
        store.close()
        report(f"{len(copies)} runs copied in {copying:.1f} s")

        taken = SeenStores(folder / "empty", log.name)
        started = time.monotonic()
        store = taken.open(0, settled, ids, IdCopies().of(sink, 0, lambda: False))
        opening = time.monotonic() - started
        if store.end != cut(ids):
            raise BenchError(f"the copies end at {store.end}, and not at {ids}")
        asked = batch[-ASKED_IDS:]
        started = time.monotonic()
        found = int((store.last_seen(asked, ids) >= 0).sum())
        asking = time.monotonic() - started
        if found != len(asked):
            raise BenchError("the store does not know ids that were copied")
        size = sum(path.stat().st_size for path in (folder / "empty").rglob("run_*"))
        memory = memory_of("self")
        store.close()
        sink.close()
    return {
        "ids": ids,
        "copies": len(copies),
        "copying_seconds": round(copying, 1),
        "takeover_seconds": round(opening, 2),
        "first_batch_seconds": round(asking, 3),
        "fetched_mb": round(size / 1e6, 1),
        "fetched_mb_per_second": round(size / 1e6 / opening, 1),
        "rss_mb": round(memory.now_mb, 1),
    }


def measure(ids: int, report: Callable[[str], None]) -> dict[str, float]:
    """Do it in a process of its own, so that memory is what it takes."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench.takeover", folder, str(ids)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"takeover with {ids} ids:\n{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    report(", ".join(f"{name} {value}" for name, value in found.items()))
    return found


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    print(json.dumps(fill_copy_and_fetch(Path(sys.argv[1]), int(sys.argv[2]), _say)))
