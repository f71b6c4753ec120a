"""A small disk of its own, to be filled: needs the right to mount."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

BLOCK_BYTES = 1 << 20
AGAIN_SECONDS = 0.01


class SmallDisk:
    """A tmpfs at `path` that can be filled to the last byte and freed again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"
        self._freed = threading.Event()
        self._filling: threading.Thread | None = None

    def fill_but(self, leave_bytes: int) -> None:
        """Leave no more room than that, which others may take."""
        about = os.statvfs(self.path)
        with self._ballast.open("ab") as file:
            spare = about.f_bavail * about.f_frsize - leave_bytes
            os.posix_fallocate(file.fileno(), 0, spare)

    def fill(self) -> None:
        """Leave no room, until it is freed: what others delete meanwhile is taken as well."""
        self._freed.clear()
        self._take_all()
        self._filling = threading.Thread(target=self._keep_full)
        self._filling.start()

    def free(self) -> None:
        """Give the room back."""
        self._freed.set()
        if self._filling is not None:
            self._filling.join()
        self._ballast.unlink(missing_ok=True)

    def _keep_full(self) -> None:
        while not self._freed.wait(AGAIN_SECONDS):
            self._take_all()

    def _take_all(self) -> None:
        with suppress(OSError), self._ballast.open("ab", buffering=0) as file:
            for size in (BLOCK_BYTES, 1):
                with suppress(OSError):
                    while file.write(b"\0" * size):
                        pass


@contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mount one at ``path``; skips the test where that is not allowed."""
    if os.geteuid() != 0:
        pytest.skip("a disk of its own: only root may mount one")
    path.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"a disk of its own: {done.stderr.strip()}")
    disk = SmallDisk(path)
    try:
        yield disk
    finally:
        disk.free()
        subprocess.run(["umount", "--lazy", str(path)], check=True)
