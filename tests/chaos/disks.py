"""Small disks of their own for Kafka, ClickHouse and the id stores, which can be filled.

Each is a file system in a file (ext4 on a loop device), mounted where only this process and its
children see it, so nothing is left of it whatever ends the run. That needs root.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path
from typing import Final

from services.local_stack.errors import ComponentMissing, StackError

CLONE_NEWNS: Final = 0x00020000
MS_REC_PRIVATE: Final = 16384 | (1 << 18)
#: Sparse: a disk takes what is written to it.
DISK_BYTES: Final = 2 * 1024**3
BALLAST: Final = "ballast"


def own_mounts() -> None:
    """Give this process mounts that nobody else sees; before it has other threads.

    Raises `ComponentMissing` where that is not allowed.
    """
    if os.geteuid() != 0:
        raise ComponentMissing("disks of our own: only root may mount")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_REC_PRIVATE, None):
        reason = os.strerror(ctypes.get_errno())
        raise ComponentMissing(f"disks of our own: the kernel refuses mounts ({reason})")


class Disk:
    """One disk, mounted at ``place``."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._ballast = place / BALLAST

    def mount(self, image: Path) -> None:
        """Make the file system in ``image`` and mount it; raises `ComponentMissing`."""
        self.place.mkdir(parents=True)
        with image.open("wb") as file:
            file.truncate(DISK_BYTES)
        # Without a reserve for root, full is full.
        _run("mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", str(image))
        _run("mount", "-o", "loop", str(image), str(self.place))

    def fill(self, leave_bytes: int = 0) -> None:
        """Take all the space there is but ``leave_bytes``, to the last block."""
        with self._ballast.open("ab") as file:
            size = os.fstat(file.fileno()).st_size
            step = 1024**3
            while step >= 4096:
                if self.free_bytes < leave_bytes + step:
                    step //= 2
                    continue
                try:
                    os.posix_fallocate(file.fileno(), size, step)
                except OSError:
                    step //= 2
                else:
                    size += step

    def free(self) -> None:
        """Give the space back."""
        self._ballast.unlink(missing_ok=True)

    def unmount(self) -> None:
        """Take it away; whoever still has files open there keeps them."""
        subprocess.run(["umount", "--lazy", str(self.place)], capture_output=True, check=False)

    @property
    def free_bytes(self) -> int:
        """How much may be written."""
        about = os.statvfs(self.place)
        return about.f_bavail * about.f_frsize


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise ComponentMissing(f"disks of our own: {command[0]} is not installed") from None
    if done.returncode != 0:
        raise ComponentMissing(f"disks of our own: {' '.join(command)}: {done.stderr.strip()}")


def require_free(disk: Disk) -> None:
    """Hold that a disk has space; raises `StackError`."""
    if disk.free_bytes < 64 * 1024**2:
        raise StackError(f"the disk at {disk.place} is nearly full by itself")
