"""A child process: how it is started, known to be ready, signalled, restarted and stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from services.local_stack.errors import ChildFailed
from services.local_stack.readiness import ReadyCheck

DIE_WITH_PARENT = Path(__file__).with_name("die_with_parent.py")
LOG_TAIL_LINES = 15
READY_POLL_SECONDS = 0.05

# The kernel's death signal is sent when the THREAD that forked ends. One thread that lives as long
# as the process starts every child, so a caller's short-lived thread takes none with it.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")


@dataclass(frozen=True, slots=True)
class ChildPlan:
    """What a child is: its command, surroundings and ready check."""

    name: str
    command: Sequence[str]
    log_path: Path
    ready: ReadyCheck
    ready_timeout_seconds: float
    directory: Path
    env: Mapping[str, str] = field(default_factory=dict)
    #: For a program that ends well only at the end of its standard input.
    ends_with_stdin: bool = False
    #: After this long, SIGTERM is followed by SIGKILL.
    stop_grace_seconds: float = 10.0


def inherited_environment() -> dict[str, str]:
    """What our processes get of this one's environment.

    Containers often forbid Python to keep what it compiled. A service imports a thousand modules;
    each start of one would compile them anew, which doubles what a start takes.
    """
    return {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


class Child:
    """One process that the supervisor owns, in a process group of its own.

    The plan outlives the process: `restart` runs the same command on the same data and ports.
    """

    def __init__(self, plan: ChildPlan) -> None:
        self.plan = plan
        self._process: subprocess.Popen[bytes] | None = None
        self._group_ended = False

    @property
    def name(self) -> str:
        """The child's name, unique within its supervisor."""
        return self.plan.name

    @property
    def pid(self) -> int:
        """Process id, equal to the id of its process group."""
        if self._process is None:
            raise ChildFailed(f"{self.name} was not started")
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs (or is stopped by SIGSTOP)."""
        return self._process is not None and self.exit_code is None

    @property
    def exit_code(self) -> int | None:
        """Exit code, negative for a signal; None while it runs or before its start."""
        if self._process is None:
            return None
        code = self._process.poll()
        if code is not None and not self._group_ended:
            # At once and once only: after it was reaped, the id may go to a stranger.
            self._group_ended = True
            _signal_group(self._process.pid, signal.SIGKILL)
        return code

    @property
    def ending(self) -> str:
        """How the process ended, for people."""
        code = self.exit_code
        if code is not None and code < 0:
            return signal.Signals(-code).name
        return f"exit code {code}"

    def start(self) -> None:
        """Start the process; returns at once, see `wait_ready`."""
        if self.alive:
            raise ChildFailed(f"{self.name} runs already")
        self.plan.directory.mkdir(parents=True, exist_ok=True)
        self.plan.log_path.parent.mkdir(parents=True, exist_ok=True)
        self._process = _spawner.submit(self._spawn).result()
        self._group_ended = False

    def _spawn(self) -> subprocess.Popen[bytes]:
        wrapper = [sys.executable, "-I", "-S", str(DIE_WITH_PARENT), str(os.getpid())]
        with self.plan.log_path.open("ab") as log:
            return subprocess.Popen(
                [*wrapper, *self.plan.command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.plan.directory,
                env={**inherited_environment(), "PYTHONUNBUFFERED": "1", **self.plan.env},
                # A session of its own: Ctrl-C in the terminal reaches the supervisor alone, which
                # then stops the children in order.
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        """Wait until the ready check says yes.

        Raises `ChildFailed`, with the tail of the log, when the process ends first or the time is
        up; then the process is stopped.
        """
        deadline = time.monotonic() + self.plan.ready_timeout_seconds
        while True:
            if not self.alive:
                raise ChildFailed(self.failure(f"ended with {self.ending} before it was ready"))
            # A program that answers on our port is not ours if ours has ended meanwhile.
            if self.plan.ready() and self.alive:
                return
            if time.monotonic() > deadline:
                self.stop()
                seconds = f"{self.plan.ready_timeout_seconds:g} s"
                raise ChildFailed(self.failure(f"was not ready after {seconds}"))
            time.sleep(READY_POLL_SECONDS)

    def kill(self, signal_number: int = signal.SIGKILL) -> None:
        """Send a signal to the child and all it forked; after SIGKILL, wait for the end."""
        if self.alive:
            _signal_group(self.pid, signal_number)
            if signal_number == signal.SIGKILL:
                self.wait()

    def wait(self, timeout_seconds: float | None = None) -> int:
        """Wait for the end and return the exit code; raises `ChildFailed` when time is up."""
        if self._process is None:
            raise ChildFailed(f"{self.name} was not started")
        try:
            self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            raise ChildFailed(f"{self.name} still runs after {timeout_seconds:g} s") from None
        assert self.exit_code is not None
        return self.exit_code

    def stop(self) -> None:
        """End the process and all it forked: end of input or SIGTERM, then SIGKILL."""
        process = self._process
        if process is None:
            return
        with contextlib.suppress(BrokenPipeError):
            if process.stdin is not None:
                process.stdin.close()
        if self.alive:
            self.kill(signal.SIGCONT)  # a child held by SIGSTOP could not end
            if not self.plan.ends_with_stdin:
                self.kill(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(self.plan.stop_grace_seconds)
        self.kill(signal.SIGKILL)

    def restart(self) -> None:
        """Stop it if it runs, start it again on the same data and ports, wait until ready."""
        self.stop()
        self.start()
        self.wait_ready()

    def log_tail(self, lines: int = LOG_TAIL_LINES) -> str:
        """The last lines that the child wrote."""
        try:
            with self.plan.log_path.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - 64 * 1024))
                text = log.read().decode("utf-8", "replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def failure(self, what: str) -> str:
        """A message that says what happened to the child and shows the tail of its log."""
        tail = self.log_tail() or "(empty)"
        return f"{self.name} {what}; the end of {self.plan.log_path}:\n{tail}"


def _signal_group(group: int, signal_number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal_number)
