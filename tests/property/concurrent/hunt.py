"""Looking for bugs by random schedules, planted ones or such as nobody knows of.

``make schedules`` runs it (docs/reliability.md). Each schedule has a number, and runs the same way
each time: ``SCHEDULES=1 SEED=number`` tells all that happened in one that went wrong.
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from tests.memory_disk import MEMORY_DISK
from tests.property.concurrent.found import THEME
from tests.property.concurrent.model import Violation
from tests.property.concurrent.planted import PLANTED
from tests.property.concurrent.planting import MisfitError, plant
from tests.property.concurrent.profile import THEMES, byte_of
from tests.property.concurrent.schedule import SCHEDULE_BYTES, model, run_schedule

#: What a planted bug may not be shown by: it was planted into code that it does not fit any more.
MISFITS = (TypeError, AttributeError, NameError, ImportError)


class FaultyWorldError(Exception):
    """A schedule goes wrong without the planted bug: a bug that nobody planted, or the world's."""


@dataclass(frozen=True, slots=True)
class Found:
    """The schedule that shows a bug, and what it shows."""

    seed: int
    told: str


def schedule_bytes(seed: int, theme: str | None = None) -> bytes:
    """The schedule of a number; of a theme where one is named."""
    data = random.Random(seed).randbytes(SCHEDULE_BYTES)
    return data if theme is None else bytes([byte_of(theme)]) + data[1:]


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
                plant(PLANTED[name], patch)
                violation = violation_of(data, folder)
            if violation is None:
                continue
            told = str(violation).split("\n", 1)[0]
            if isinstance(violation.error, MISFITS):
                raise MisfitError(f"{name!r} breaks the code: plant it again. {told}")
            without = violation_of(data, folder)
        if without is not None:
            raise FaultyWorldError(f"schedule {seed} without {name!r}: {without}")
        return Found(seed, told)
    return None


def hunt_planted(names: Sequence[str], first_seed: int, most: int, folder: Path) -> bool:
    """Hunt these bugs, a line for each; say whether all were found."""
    whole = True
    for name in names:
        started = time.process_time()
        try:
            found = hunt(name, first_seed, most, folder)
            told = "MISSED" if found is None else f"schedule {found.seed}: {found.told}"
        except (MisfitError, FaultyWorldError) as error:
            found, told = None, f"{type(error).__name__}: {error}"
        whole = whole and found is not None
        print(f"{time.process_time() - started:6.1f} s  {name}: {told}"[:240], flush=True)
    return whole


def hunt_unknown(first_seed: int, most: int, theme: str | None, folder: Path) -> bool:
    """Run schedules of which each must end well, and tell those that do not; say if all did."""
    whole = True
    with model():
        for seed in range(first_seed, first_seed + most):
            violation = violation_of(schedule_bytes(seed, theme), folder)
            if violation is not None:
                whole = False
                text = str(violation) if most == 1 else str(violation).split("\n", 1)[0]
                print(f"schedule {seed}: {text}", flush=True)
    print(f"{most} schedules from {first_seed} on: {'all ended well' if whole else 'WRONG'}")
    return whole


def main() -> int:
    """0 where all ended well, or all planted bugs were found."""
    parser = argparse.ArgumentParser(description="Random schedules of the real meter.")
    parser.add_argument("--schedules", type=int, default=2000, help="how many, of each bug")
    parser.add_argument("--seed", type=int, default=0, help="the first one's number")
    parser.add_argument(
        "--planted", nargs="*", metavar="NAME", help="look for planted bugs: those named, or all"
    )
    parser.add_argument("--theme", choices=list(THEMES), help="only schedules of this theme")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    # What is imported stays: looking through it again and again takes a third of the time.
    gc.freeze()
    with tempfile.TemporaryDirectory(dir=MEMORY_DISK) as parent:
        folder = Path(parent) / "world"
        if options.planted is None:
            return not hunt_unknown(options.seed, options.schedules, options.theme, folder)
        names = [
            name
            for name in PLANTED
            if not options.planted or any(part in name for part in options.planted)
        ]
        return not hunt_planted(names, options.seed, options.schedules, folder)


if __name__ == "__main__":
    sys.exit(main())
