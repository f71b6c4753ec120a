"""The dedup store on disk as its ids grow: speed, disk and memory, each point in a process.

As in a worker: a run for each flush, merged behind it in a thread of its own. Most ids asked for
are new; a part was seen before. Ids spread evenly over the log time for which they are kept.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.errors import BenchError
from bench.machine import ROOT
from services.local_stack.process_table import memory_of

COUNTS = (1_000_000, 10_000_000, 100_000_000)
BATCH_IDS = 50_000
#: So many batches are one run: what a catching-up worker reads between two flushes.
FLUSH_BATCHES = 10
ASKED_BATCHES = 20
#: Of each batch asked for, this part was seen before.
KNOWN_SHARE = 0.02
STORE = ROOT / "services" / "aggregator" / "storage" / "seen_store.py"


def points(folder: Path, most: int, say: Callable[[str], None]) -> Iterator[dict[str, float]]:
    """Points of ids, ids checked per second, disk and memory; none while there is no store."""
    if not STORE.exists():
        say("seen_ids: left out, the aggregator has no store on disk")
        return
    for ids in COUNTS:
        if ids > most:
            return
        with tempfile.TemporaryDirectory(dir=folder) as place:
            command = [sys.executable, "-m", "bench.seen_ids", place, str(ids)]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BenchError(f"seen_ids with {ids} ids:\n{done.stderr[-2000:]}")
        yield json.loads(done.stdout.splitlines()[-1])


def fill_and_ask(folder: Path, ids: int) -> dict[str, float]:
    """Check and move in batches as a worker does, then only ask; report what that took."""
    # Here and not above: the command line works where what the store needs is missing.
    import numpy as np

    from schemas.metering_rules import MeteringRules
    from services.aggregator.arrays.byte_spans import Words
    from services.aggregator.arrays.cuts import Cut
    from services.aggregator.core.dedup import Sightings
    from services.aggregator.core.log_time import CLOCK_STEP_MAX_MS
    from services.aggregator.core.runs import Settled
    from services.aggregator.storage.seen_store import SeenStores
    from services.platform.malloc_tuning import FreedMemory, map_large_arrays

    map_large_arrays()
    freed = FreedMemory()
    keep_ms = MeteringRules().dedup_horizon_ms + CLOCK_STEP_MAX_MS
    store = SeenStores(folder, "bench").open(0, Settled(0, 0, keep_ms), 0)
    tidier = ThreadPoolExecutor(1)

    def tidy(settled: Settled) -> bool:
        more = store.tidy(settled)
        freed.give_back()
        return more

    rng = np.random.default_rng(1)

    def draw(count: int) -> Words:
        return rng.integers(0, 2**64, (count, 2), np.uint64)

    def cut(offset: int) -> Cut:
        return Cut(offset, offset * keep_ms // ids)

    sample: list[Words] = []
    keeping = 0.0
    flush_ids = BATCH_IDS * FLUSH_BATCHES
    tidying = tidier.submit(bool)
    for first in range(0, ids, flush_ids):
        begin, end = cut(first), cut(min(first + flush_ids, ids))
        batch = draw(end.offset - begin.offset)
        sample.append(batch[:: max(1, ids // 100_000)].copy())
        times_ms = np.linspace(begin.log_ms, end.log_ms, len(batch), dtype=np.int64)
        started = time.monotonic()
        for at in range(0, len(batch), BATCH_IDS):
            store.last_seen(batch[at : at + BATCH_IDS], begin.offset)
        if not store.keep(Sightings(batch, times_ms, begin, end)):
            raise BenchError("the disk took no ids")
        keeping += time.monotonic() - started
        if tidying.done():
            tidying = tidier.submit(tidy, Settled(end.offset, end.log_ms, keep_ms))
    started = time.monotonic()
    tidying.result()
    settled = Settled(ids, keep_ms, keep_ms)
    while tidier.submit(tidy, settled).result():
        pass
    merging = time.monotonic() - started
    old = int(BATCH_IDS * KNOWN_SHARE)
    known = np.concatenate(sample)
    del batch, times_ms, sample
    asking, found = 0.0, 0
    for _ in range(ASKED_BATCHES):
        asked = np.concatenate((draw(BATCH_IDS - old), rng.choice(known, old)))
        started = time.monotonic()
        found += int((store.last_seen(asked, ids) >= 0).sum())
        asking += time.monotonic() - started
    if found != ASKED_BATCHES * old:
        raise BenchError("the store does not know ids that it was given")
    runs, memory = len(list(folder.rglob("run_*"))), memory_of("self")
    store.close()
    tidier.shutdown()
    return {
        "ids": ids,
        "ids_per_second": round(ASKED_BATCHES * BATCH_IDS / asking),
        "ids_kept_per_second": round(ids / keeping),
        "merging_behind_seconds": round(merging, 1),
        "runs": runs,
        "disk_mb": round(sum(path.stat().st_size for path in folder.rglob("*")) / 1e6, 1),
        "rss_mb": round(memory.now_mb, 1),
    }


if __name__ == "__main__":
    print(json.dumps(fill_and_ask(Path(sys.argv[1]), int(sys.argv[2]))))
