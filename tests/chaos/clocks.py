"""Clocks of single processes that can be set: libfaketime, from Debian's package.

Only the time of day is changed. The monotonic clock, by which processes wait, stays.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from services.local_stack.cache import Report, cached
from services.local_stack.debian import fetch_packages

UNPACKED: Final = "libfaketime-debian"
#: The build for programs with threads.
LIBRARY: Final = "libfaketimeMT.so.1"
RIGHT: Final = "+0"


def faketime_library(report: Report) -> Path:
    """The library, fetched and unpacked on first use, not installed; raises `ComponentMissing`."""

    def fetch(folder: Path) -> None:
        remedy = "needs Debian's package libfaketime"
        download = ["apt-get", "download", "libfaketime"]
        fetch_packages("libfaketime", download, folder, report, remedy)

    return next(cached(UNPACKED, fetch).glob(f"usr/lib/*/faketime/{LIBRARY}"))


def library_without_sleep(library: Path, folder: Path) -> Path:
    """A copy that leaves `clock_nanosleep` to the C library.

    The library misreads sleeps until a moment of the monotonic clock, and Python has no others. So
    its own function goes by another name, where nobody finds it.
    """
    copy = folder / library.name
    whole = library.read_bytes()
    copy.write_bytes(whole.replace(b"\0clock_nanosleep\0", b"\0not_clock_sleep\0"))
    return copy


class Clock:
    """The clock of one process: what its environment needs, and how it is set while it runs."""

    def __init__(self, library: Path, file: Path) -> None:
        self._file = file
        self.env = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            # How often it looks at the file, in seconds.
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # Newer names of settings and a workaround that makes the JVM wait forever.
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }
        self.set(RIGHT)

    def set(self, offset: str) -> None:
        """Set it off by so much, such as ``+1d``."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{offset}\n")
        fresh.rename(self._file)
