"""The processes under fault: each may be held down, and is started again when it should run."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from services.local_stack.errors import ChildFailed
from services.local_stack.process_table import children
from services.local_stack.processes import Child

LOOK_SECONDS: Final = 0.25
#: As whatever restarts services in production would wait.
RESTART_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class UnexpectedExit:
    """A process that ended although no fault of the moment had it end."""

    actor: str
    ending: str
    last_line: str


class Actor:
    """One process. Faults hold it down by counting, so two of them may."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.lock = threading.RLock()
        self._holds = 0
        #: Whether it is wanted at all; a guest is not always.
        self.wanted = True

    @property
    def name(self) -> str:
        """Its name, as the catalogue has it."""
        return self.child.name

    @property
    def held(self) -> bool:
        """Whether some fault keeps it down."""
        return self._holds > 0

    def hold(self) -> None:
        """Do not start it again if it ends, until `up`."""
        with self.lock:
            self._holds += 1

    def down(self, signal_number: int = signal.SIGKILL) -> None:
        """Send a signal that ends it, and keep it down."""
        with self.lock:
            self._holds += 1
            self.child.kill(signal_number)

    def up(self) -> None:
        """Let go of it; starts it if nothing else holds it."""
        with self.lock:
            self._holds -= 1
            self.ensure()

    def wait_down(self, seconds: float) -> bool:
        """Wait until it ended after an orderly signal; kill it if it does not. Say if it did."""
        deadline = time.monotonic() + seconds
        while self.child.alive and time.monotonic() < deadline:
            time.sleep(0.05)
        in_order = not self.child.alive
        self.child.kill(signal.SIGKILL)
        return in_order

    def signal(self, number: int) -> None:
        """Send a signal to it and all it forked."""
        self.child.kill(number)

    def ensure(self) -> bool:
        """Start it if it should run and does not; say whether it was started."""
        with self.lock:
            if self.held or not self.wanted or self.child.alive:
                return False
            self.child.start()
            return True

    def wait_ready(self, seconds: float) -> bool:
        """Wait until it is ready; say whether it is."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.child.alive and self.child.plan.ready():
                return True
            time.sleep(0.1)
        return False

    def forked(self) -> list[int]:
        """The processes that it started."""
        return children(self.child.pid) if self.child.alive else []

    def last_line(self) -> str:
        """The last line that it logged."""
        lines = self.child.log_tail(1).splitlines()
        return lines[-1][:500] if lines else ""


class Keeper:
    """Starts again what ended by itself, as a service manager does, and says so."""

    def __init__(
        self, actors: Callable[[], list[Actor]], told: Callable[[UnexpectedExit], None]
    ) -> None:
        self._actors = actors
        self._told = told
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Begin to look after them."""
        self._thread.start()

    def stop(self) -> None:
        """Let them be."""
        self._stopped.set()
        self._thread.join(10)

    def _run(self) -> None:
        due: dict[str, float] = {}
        while not self._stopped.wait(LOOK_SECONDS):
            for actor in self._actors():
                self._look(actor, due)

    def _look(self, actor: Actor, due: dict[str, float]) -> None:
        now = time.monotonic()
        with actor.lock:
            if actor.held or not actor.wanted or actor.child.alive:
                due.pop(actor.name, None)
                return
            if actor.name not in due:
                due[actor.name] = now + RESTART_SECONDS
                ended = UnexpectedExit(actor.name, actor.child.ending, actor.last_line())
                self._told(ended)
            elif now >= due[actor.name]:
                del due[actor.name]
                with contextlib.suppress(ChildFailed):
                    actor.ensure()
