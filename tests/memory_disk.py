"""A folder in memory, for tests that write durably without end; on disk where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Final

#: Where to make temporary folders; None for the usual place.
MEMORY_DISK: Final = "/dev/shm" if Path("/dev/shm").is_dir() else None
