"""Memory that is freed is given back, also from between what stays."""

from __future__ import annotations

import subprocess
import sys

import pytest

from services.platform.malloc_tuning import (
    PAUSE_SECONDS,
    FreedMemory,
    give_back_freed,
    map_large_arrays,
)

#: Frees one large block, as any start does, then some of 20 MB from between small ones that stay.
FREES_FROM_BETWEEN = """
import sys
from services.local_stack.process_table import memory_of
from services.platform.malloc_tuning import give_back_freed, map_large_arrays
if "mapped" in sys.argv:
    assert map_large_arrays()
bytearray(32_000_000)
large, small = [], []
for number in range(8):
    large.append(bytearray(20_000_000))
    small.append([bytes(1000) for _ in range(200)])
before = memory_of("self").now_mb
large.clear()
kept = memory_of("self").now_mb
give_back_freed()
print(before - kept, before - memory_of("self").now_mb)
"""


def given_back_mb(how: str) -> tuple[float, float]:
    """How much by itself, and how much when asked to."""
    command = [sys.executable, "-c", FREES_FROM_BETWEEN, how]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    by_itself, asked = map(float, done.stdout.split())
    return by_itself, asked


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator is meant")
def test_freed_arrays_are_given_back_from_between_what_stays() -> None:
    by_itself, asked = given_back_mb("as it is")
    assert by_itself < 50
    assert asked > 150
    by_itself, _ = given_back_mb("mapped")
    assert by_itself > 150


def test_from_time_to_time() -> None:
    now = 100.0
    freed = FreedMemory(lambda: now)
    assert not freed.give_back(), "what was freed at the start is needed at once"
    now += PAUSE_SECONDS
    large = [bytearray(100_000) for _ in range(1000)]
    stays = bytearray(100_000)
    large.clear()
    assert freed.give_back()
    assert not freed.give_back()
    assert len(stays) == 100_000


def test_a_c_library_without_it_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    assert not give_back_freed()
    assert not map_large_arrays()
