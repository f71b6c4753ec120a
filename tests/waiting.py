"""Waiting for what must come true."""

from __future__ import annotations

import time
from collections.abc import Callable


def eventually(what: str, check: Callable[[], object], seconds: float = 60) -> None:
    """Wait until ``check`` says yes."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"{what}: not after {seconds:g} s"
        time.sleep(0.1)
