"""The dedup store on disk as its ids grow: speed, disk and memory, each point in a process.

Most ids asked for are new, as in production; a part was seen before. Ids spread evenly over the log
time for which they are kept, so all buckets fill.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.errors import BenchError
from bench.machine import ROOT
from services.local_stack.process_table import memory_of

COUNTS = (1_000_000, 10_000_000, 100_000_000)
BATCH_IDS = 50_000
ASKED_BATCHES = 20
#: Of each batch asked for, this part was seen before.
KNOWN_SHARE = 0.02
STORE = ROOT / "services" / "aggregator" / "seen_store.py"


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
    """Fill one partition's store in batches, then ask it; report what that took."""
    # Here and not above: the command line works where the store's library is missing.
    import numpy as np

    from schemas.metering_rules import MeteringRules
    from services.aggregator.arrays.byte_spans import Words
    from services.aggregator.arrays.cuts import Cut
    from services.aggregator.core.dedup import Settled, Sightings
    from services.aggregator.core.log_time import CLOCK_STEP_MAX_MS
    from services.aggregator.settings import AggregatorSettings
    from services.aggregator.storage.seen_store import SeenStores

    settings = AggregatorSettings()
    keep_ms = MeteringRules().dedup_horizon_ms + CLOCK_STEP_MAX_MS
    settled = Settled(ids, keep_ms, keep_ms)
    store = SeenStores(
        folder, "bench", settings.aggregator_filter_bytes, settings.aggregator_cache_bytes
    ).open(0, settled, 1)
    rng = np.random.default_rng(1)

    def draw(count: int) -> Words:
        return rng.integers(0, 2**64, (count, 2), np.uint64)

    sample: list[Words] = []
    keeping = 0.0
    for first in range(0, ids, BATCH_IDS):
        batch = draw(min(BATCH_IDS, ids - first))
        sample.append(batch[:: max(1, ids // 100_000)].copy())
        at_ms = first * keep_ms // ids
        sightings = Sightings(batch, np.full(len(batch), at_ms), at_ms + 1, Cut(), settled)
        started = time.monotonic()
        store.keep(sightings)
        keeping += time.monotonic() - started
    old = int(BATCH_IDS * KNOWN_SHARE)
    known = np.concatenate(sample)
    asking, found = 0.0, 0
    for _ in range(ASKED_BATCHES):
        asked = np.concatenate((draw(BATCH_IDS - old), rng.choice(known, old)))
        started = time.monotonic()
        found += int((store.last_seen(asked) >= 0).sum())
        asking += time.monotonic() - started
    if not found:
        raise BenchError("the store does not know ids that it was given")
    store.close()
    return {
        "ids": ids,
        "ids_per_second": round(ASKED_BATCHES * BATCH_IDS / asking),
        "ids_kept_per_second": round(ids / keeping),
        "disk_mb": round(sum(path.stat().st_size for path in folder.rglob("*")) / 1e6, 1),
        "rss_mb": round(memory_of("self").now_mb, 1),
    }


if __name__ == "__main__":
    print(json.dumps(fill_and_ask(Path(sys.argv[1]), int(sys.argv[2]))))
