"""Becomes another program that the kernel kills when the process that started it dies.

Run as ``python -I -S die_with_parent.py PARENT_PID PROGRAM ARGUMENT…``. The process id stays the
same, so the caller holds the program itself. Only Linux has this; elsewhere the watchman does it
alone.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Set the death signal, then replace this process by the program."""
    parent_pid, command = int(arguments[0]), arguments[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have died before the signal was set; then nobody would ever send it.
    if os.getppid() != parent_pid:
        sys.exit(1)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"cannot run {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
