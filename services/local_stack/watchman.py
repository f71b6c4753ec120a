"""Kills what is left of a supervisor's children when the supervisor is gone, however it went.

Run as ``python -I -S watchman.py``; its standard input is a pipe that only the supervisor holds.
The lines ``+PID`` and ``-PID`` say which process groups live. The pipe ends when the supervisor
ends, also by ``kill -9``, and then each group still on the list gets SIGKILL. A group also holds
what a child forked, which the kernel's death signal of ``die_with_parent.py`` does not reach.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterable


def groups_left(lines: Iterable[str]) -> set[int]:
    """Read the pipe to its end; return the groups that were announced and not taken back."""
    groups: set[int] = set()
    for line in lines:
        sign, pid = line[:1], line[1:].strip()
        if not pid.isdigit():
            continue  # the supervisor died in the middle of a line
        if sign == "+":
            groups.add(int(pid))
        else:
            groups.discard(int(pid))
    return groups


def main() -> None:
    """Wait for the pipe's end, then kill."""
    for group in groups_left(sys.stdin):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
