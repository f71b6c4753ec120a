"""Memory that is freed is given back, also from between what stays."""

from __future__ import annotations

import subprocess
import sys

import pytest

from services.platform.malloc_tuning import tune_malloc

#: Frees one large block, as any start does, then many of 8 MB from between small ones that stay.
FREES_FROM_BETWEEN = """
import sys
from services.local_stack.process_table import memory_of
from services.platform.malloc_tuning import tune_malloc
if sys.argv[1] == "tuned":
    assert tune_malloc()
bytearray(32_000_000)
large, small = [], []
for number in range(20):
    large.append(bytearray(8_000_000))
    small.append([bytes(1000) for _ in range(200)])
before = memory_of("self").now_mb
large.clear()
print(before - memory_of("self").now_mb)
"""


def given_back_mb(how: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", FREES_FROM_BETWEEN, how], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator is meant")
def test_freed_arrays_are_given_back_from_between_what_stays() -> None:
    assert given_back_mb("tuned") > 150
    # The reason to say it: without, next to nothing is.
    assert given_back_mb("as it is") < 50


def test_a_c_library_without_it_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    assert not tune_malloc()
