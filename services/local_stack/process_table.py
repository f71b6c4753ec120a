"""What Linux tells of running processes, by id."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory now and at its highest, in MB (10^6 bytes)."""

    now_mb: float
    peak_mb: float


def memory_of(pid: int | str) -> Memory:
    """Resident memory of one process; ``self`` for this one. Raises OSError when it is no more."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    sizes = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB$", status, re.MULTILINE))
    return Memory(int(sizes["VmRSS"]) * 1024 / 1e6, int(sizes["VmHWM"]) * 1024 / 1e6)


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return _by_parent().get(pid, [])


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and theirs."""
    by_parent = _by_parent()
    found, open_ = [], [pid]
    while open_:
        below = by_parent.get(open_.pop(), [])
        found += below
        open_ += below
    return found


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far, all its threads. Raises OSError when it is no more."""
    words = _stat(pid)
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def idle_seconds() -> float:
    """Time that the machine's processors had nothing to do since it started, all together.

    What waits for a disk counts as nothing to do; what a hypervisor took does not.
    """
    words = Path("/proc/stat").read_text(encoding="ascii").split(maxsplit=6)
    return (int(words[4]) + int(words[5])) / os.sysconf("SC_CLK_TCK")


def program(pid: int) -> str:
    """What a process runs. Raises OSError when it is no more.

    A Python module or script or a Java class by its name, else a file.
    """
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    if "-cp" in words[:-2]:
        return words[words.index("-cp") + 2]
    if "-m" in words[:-1]:
        return words[words.index("-m") + 1]
    script = next((word for word in words[1:] if not word.startswith("-")), "")
    if script.endswith(".py"):
        return Path(script).stem
    return Path(words[0]).name


def _by_parent() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended while it was read
            found.setdefault(int(_stat(folder.name)[1]), []).append(int(folder.name))
    return found


def _stat(pid: int | str) -> list[str]:
    """What `/proc/PID/stat` says behind the program's name, which may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
