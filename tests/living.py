"""Whether processes live, for tests that kill them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path


def lives(pid: int) -> bool:
    """Whether a process runs; one that ended and waits to be reaped does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return not Path("/proc/self").exists()
    except ProcessLookupError:  # it ended while it was read
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def left_after(pids: Iterable[int], seconds: float) -> list[int]:
    """The processes that still run after so long; returns early once there are none."""
    left = list(pids)
    deadline = time.monotonic() + seconds
    while left and time.monotonic() < deadline:
        time.sleep(0.02)
        left = [pid for pid in left if lives(pid)]
    return left
