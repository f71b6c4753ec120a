"""After how many schedules each planted bug is found.

``python -m tests.property.concurrent.hunt 300 [part of a name ...]`` prints a line for each bug.
"""

from __future__ import annotations

import gc
import random
import sys
import tempfile
import time
from pathlib import Path

import pytest
import structlog

from tests.memory_disk import MEMORY_DISK
from tests.property.concurrent.model import Violation
from tests.property.concurrent.planted import PLANTED, plant
from tests.property.concurrent.schedule import SCHEDULE_BYTES, model, run_schedule


def hunt(name: str, most: int, folder: Path, first_seed: int = 0) -> tuple[int, str] | None:
    """Run schedules until one shows a planted bug: how many it took, and what it showed."""
    with model(), pytest.MonkeyPatch.context() as patch:
        plant(name, patch)
        for number in range(most):
            data = random.Random(first_seed + number).randbytes(SCHEDULE_BYTES)
            try:
                run_schedule(data, folder)
            except Violation as violation:
                return number + 1, str(violation).split("\n", 1)[0]
    return None


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    most, parts = int(sys.argv[1]), sys.argv[2:]
    # What is imported stays: looking through it again and again takes a third of the time.
    gc.freeze()
    with tempfile.TemporaryDirectory(dir=MEMORY_DISK) as folder:
        for name in PLANTED:
            if parts and not any(part in name for part in parts):
                continue
            started = time.process_time()
            found = hunt(name, most, Path(folder) / "world")
            seconds = time.process_time() - started
            told = "missed" if found is None else f"after {found[0]}: {found[1]}"
            print(f"{seconds:6.1f} s  {name}: {told}"[:170], flush=True)


if __name__ == "__main__":
    main()
