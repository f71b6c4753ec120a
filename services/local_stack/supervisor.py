"""The supervisor: starts children in order, and none outlives it, however it ends.

Three things see to that. Leaving the ``with`` block stops them in reverse order (SIGTERM, then
SIGKILL). On Linux the kernel kills a child whose parent died (``die_with_parent.py``). And a
watchman process holds a pipe from the supervisor and kills their process groups at its end
(``watchman.py``). Children are found by process id only, never by name.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from services.local_stack.errors import StackError
from services.local_stack.processes import Child, ChildPlan

WATCHMAN = Path(__file__).with_name("watchman.py")


class SupervisedChild(Child):
    """A child that tells the watchman when it comes and goes."""

    def __init__(self, plan: ChildPlan, watchman: subprocess.Popen[str]) -> None:
        super().__init__(plan)
        self._watchman = watchman

    def start(self) -> None:
        """Start the process and put its group on the watchman's list."""
        super().start()
        self._tell(f"+{self.pid}\n")

    def stop(self) -> None:
        """Stop the process and take its group off the list."""
        super().stop()
        if self.exit_code is not None:
            self._tell(f"-{self.pid}\n")

    def _tell(self, line: str) -> None:
        assert self._watchman.stdin is not None
        with contextlib.suppress(BrokenPipeError, ValueError):
            self._watchman.stdin.write(line)
            self._watchman.stdin.flush()


class Supervisor:
    """Owns children; a context manager at whose end all of them are gone."""

    def __init__(self) -> None:
        self.children: dict[str, Child] = {}
        self._watchman: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._watchman = subprocess.Popen(
            [sys.executable, "-I", "-S", str(WATCHMAN)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, plan: ChildPlan) -> Child:
        """Start a child and wait until it is ready; raises `ChildFailed` when it is not."""
        child = self.launch(plan)
        child.wait_ready()
        return child

    def launch(self, plan: ChildPlan) -> Child:
        """Start a child without waiting, for children that may come up side by side."""
        if self._watchman is None:
            raise StackError("the supervisor is used outside its `with` block")
        if plan.name in self.children:
            raise StackError(f"there is already a child named {plan.name}")
        child = SupervisedChild(plan, self._watchman)
        child.start()
        self.children[plan.name] = child
        return child

    def dead(self) -> list[Child]:
        """Children that ended by themselves or by a signal and were not started again."""
        return [child for child in self.children.values() if not child.alive]

    def kill(self) -> None:
        """Kill all children at once, for those whose data nobody wants; `stop` comes after."""
        for child in self.children.values():
            child.kill()

    def stop(self) -> None:
        """Stop all children, last started first, and the watchman."""
        while self.children:
            _, child = self.children.popitem()
            child.stop()
        if self._watchman is not None and self._watchman.stdin is not None:
            # With an empty list the end of its pipe lets the watchman go home.
            with contextlib.suppress(BrokenPipeError):
                self._watchman.stdin.close()
            self._watchman.wait()
            self._watchman = None
