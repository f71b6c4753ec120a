"""After how many schedules each planted bug is found.

``python -m tests.property.concurrent.hunt 300 [part of a name ...]`` prints a line for each bug,
with the schedule that shows it; with ``-`` for a name it looks for bugs that nobody planted.
"""

from __future__ import annotations

import gc
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from tests.memory_disk import MEMORY_DISK
from tests.property.concurrent.model import Violation
from tests.property.concurrent.planted import PLANTED, THEME, plant
from tests.property.concurrent.profile import THEMES
from tests.property.concurrent.schedule import SCHEDULE_BYTES, model, run_schedule

#: What a bug may not be shown by: it was planted into code that it does not fit any more.
MISFITS = (TypeError, AttributeError, NameError, ImportError)


class MisfitError(Exception):
    """A planted bug does not fit the code: it breaks it, and so proves nothing."""


class FaultyWorldError(Exception):
    """A schedule goes wrong without any planted bug."""


@dataclass(frozen=True, slots=True)
class Found:
    """The schedule that shows a bug, and what it shows."""

    seed: int
    tried: int
    told: str


def schedule_bytes(seed: int, theme: str | None = None) -> bytes:
    """The schedule of a seed; of a theme where one is named."""
    data = random.Random(seed).randbytes(SCHEDULE_BYTES)
    return data if theme is None else bytes([list(THEMES).index(theme)]) + data[1:]


def violation_of(data: bytes, folder: Path) -> Violation | None:
    """What a schedule shows."""
    try:
        run_schedule(data, folder)
    except Violation as violation:
        return violation
    return None


def hunt(name: str, first_seed: int, most: int, folder: Path) -> Found | None:
    """Run schedules until one shows a planted bug, which it does not show without it.

    Raises `MisfitError` where the bug breaks the code, and `FaultyWorldError` where the same
    schedule goes wrong without the bug.
    """
    for seed in range(first_seed, first_seed + most):
        data = schedule_bytes(seed, THEME.get(name))
        with model():
            with pytest.MonkeyPatch.context() as patch:
                plant(name, patch)
                violation = violation_of(data, folder)
            if violation is None:
                continue
            told = str(violation).split("\n", 1)[0]
            if isinstance(violation.error, MISFITS):
                raise MisfitError(f"{name!r} breaks the code: plant it anew. {told}")
            without = violation_of(data, folder)
        if without is not None:
            raise FaultyWorldError(f"schedule {seed} without {name!r}: {without}")
        return Found(seed, seed + 1 - first_seed, told)
    return None


def look_for_bugs(most: int, folder: Path) -> None:
    """Run schedules of which each must end well, and print those that do not."""
    with model():
        for seed in range(most):
            violation = violation_of(schedule_bytes(seed), folder)
            if violation is not None:
                print(f"seed {seed}: {violation}", flush=True)


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    most, parts = int(sys.argv[1]), sys.argv[2:]
    # What is imported stays: looking through it again and again takes a third of the time.
    gc.freeze()
    with tempfile.TemporaryDirectory(dir=MEMORY_DISK) as folder:
        if parts == ["-"]:
            look_for_bugs(most, Path(folder) / "world")
            return
        for name in PLANTED:
            if parts and not any(part in name for part in parts):
                continue
            started = time.process_time()
            try:
                found = hunt(name, 0, most, Path(folder) / "world")
                told = "missed" if found is None else f"seed {found.seed}: {found.told}"
            except (MisfitError, FaultyWorldError) as error:
                told = f"{type(error).__name__}: {error}"
            print(f"{time.process_time() - started:6.1f} s  {name}: {told}"[:200], flush=True)


if __name__ == "__main__":
    main()
