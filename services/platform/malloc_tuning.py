"""C's allocator, made to give back what was freed.

glibc gives memory back by itself from the end of its heap only. And once an array of some megabytes
was freed, it carves the next ones out of the heap (mallopt(3), M_MMAP_THRESHOLD), so that they lie
below something that stays, and are kept when they are freed: a process that reads a log for hours
grows though nothing leaks.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from typing import Final

#: From malloc.h.
M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
#: Larger than what a batch takes: new memory of the system's is cleared first. With 4 MB here a
#: worker was slower by 4 %, with 1 MB by 10.
MAPPED_FROM_BYTES: Final = 16_000_000
#: So much may stay free at the end of the heap.
KEPT_FREE_BYTES: Final = 1 << 25
#: Looking through the heap takes some milliseconds, and what is given back has to be fetched anew.
PAUSE_SECONDS: Final = 5.0


def map_large_arrays() -> bool:
    """Keep large arrays out of the heap, for good; False where the C library cannot do that."""
    mallopt = _function("mallopt")
    if mallopt is None:
        return False
    mapped = mallopt(M_MMAP_THRESHOLD, MAPPED_FROM_BYTES)
    return bool(mapped and mallopt(M_TRIM_THRESHOLD, KEPT_FREE_BYTES))


def give_back_freed() -> bool:
    """Give memory that is free back to the system, wherever it lies; False where C cannot do that.

    See malloc_trim(3).
    """
    trim = _function("malloc_trim")
    return trim is not None and bool(trim(0))


def _function(name: str) -> Callable[..., int] | None:
    try:
        found: Callable[..., int] = getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError):
        return None
    return found


class FreedMemory:
    """Gives it back from time to time. ``clock`` gives seconds that never fall."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._again_at = clock() + PAUSE_SECONDS

    def give_back(self) -> bool:
        """Give it back, unless that was done less than `PAUSE_SECONDS` ago; say whether it was."""
        now = self._clock()
        if now < self._again_at:
            return False
        self._again_at = now + PAUSE_SECONDS
        return give_back_freed()
