"""PURE. Whether there is room where ClickHouse and the workers write."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from services.operate.doctor.finding import Finding, error, ok, warning

#: Parts of a disk that should be free: merges need room for what they merge.
WARNING_SHARE: Final = 0.2
ERROR_SHARE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk: what writes there, and its bytes."""

    what: str
    free_bytes: int
    total_bytes: int
    remedy: str


def judge(disks: tuple[Disk, ...]) -> Iterator[Finding]:
    """Judge each disk."""
    for disk in disks:
        share = disk.free_bytes / disk.total_bytes if disk.total_bytes else 1.0
        found = f"{_gib(disk.free_bytes)} of {_gib(disk.total_bytes)} free ({share:.0%})"
        if share < ERROR_SHARE:
            yield error(disk.what, found, disk.remedy)
        elif share < WARNING_SHARE:
            yield warning(disk.what, found, disk.remedy)
        else:
            yield ok(disk.what, found)


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / 1024**3:,.1f} GiB"
