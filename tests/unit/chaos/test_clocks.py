"""Clocks of single processes: the time of day jumps while it runs, waiting does not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.local_stack.errors import ComponentMissing
from tests.chaos.clocks import RIGHT, Clock, faketime_library, library_without_sleep

#: Says the time, a line each time that it is asked, after a short wait of each kind.
SCRIPT = """
import asyncio, sys, threading, time
for line in sys.stdin:
    before = time.monotonic()
    time.sleep(0.01)
    threading.Event().wait(0.01)
    asyncio.run(asyncio.sleep(0.01))
    assert 0 < time.monotonic() - before < 60
    print(time.time(), flush=True)
"""
DAY_SECONDS = 86_400
#: The clock looks at its file once a second.
LOOKS_MAX = 100


def test_a_clock_jumps_and_comes_back(tmp_path: Path) -> None:
    try:
        library = faketime_library(print)
    except ComponentMissing as error:
        pytest.skip(str(error))
    clock = Clock(library_without_sleep(library, tmp_path), tmp_path / "clock")
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, **clock.env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None and process.stdout is not None

        def days_off() -> int:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write("\n")
            process.stdin.flush()
            return round((float(process.stdout.readline()) - time.time()) / DAY_SECONDS)

        assert days_off() == 0
        for offset, days in (("+1d", 1), ("-1d", -1), (RIGHT, 0)):
            clock.set(offset)
            assert any(days_off() == days for _ in range(LOOKS_MAX))
        process.stdin.close()
    assert process.returncode == 0
