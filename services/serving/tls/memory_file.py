"""Bytes as a file of this process, for libraries that read nothing but paths."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MemoryFile:
    """A path, and the descriptor that a child has to inherit to open it; None for a real file."""

    path: str
    descriptor: int | None

    @property
    def inherited(self) -> tuple[int, ...]:
        """What to pass to a child."""
        return () if self.descriptor is None else (self.descriptor,)


@contextmanager
def memory_file(content: bytes) -> Iterator[MemoryFile]:
    """Hold ``content`` as a file that nobody else opens, and that is gone afterwards.

    It is in memory only where the system can do that (Linux), else a file of ours alone: a private
    key is to lie in no second place on disk.
    """
    if not hasattr(os, "memfd_create"):
        with tempfile.NamedTemporaryFile(prefix="wattoken-") as file:
            file.write(content)
            file.flush()
            yield MemoryFile(file.name, None)
        return
    descriptor = os.memfd_create("wattoken")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        yield MemoryFile(f"/proc/self/fd/{descriptor}", descriptor)
    finally:
        os.close(descriptor)
