"""C's allocator, kept from holding on to what was freed.

glibc raises the size from which it maps memory of its own each time such memory is freed, up to
32 MiB (mallopt(3), M_MMAP_THRESHOLD): then large arrays lie in the heap between small ones, and
what is freed below something that stays is never given back. A process that reads a log for hours
grows so without end, though nothing leaks. A size that is said once is not raised any more.
"""

from __future__ import annotations

import ctypes
from typing import Final

#: The parameters of mallopt(3), from malloc.h.
M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
#: Larger than most arrays of a batch, which are made anew so often that mapping them would cost.
MAPPED_FROM_BYTES: Final = 1 << 20
#: So much free memory at the heap's end is kept.
KEPT_FREE_BYTES: Final = 1 << 24


def tune_malloc(mapped_from: int = MAPPED_FROM_BYTES) -> bool:
    """Have large memory mapped by itself, for good; False where the C library has no such thing."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, mapped_from)) and bool(
        mallopt(M_TRIM_THRESHOLD, KEPT_FREE_BYTES)
    )
