"""Watches what must hold all the time: memory is bounded, and no exported counter ever falls."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from services.local_stack.ports import LOOPBACK
from services.local_stack.process_table import children, memory_of, program
from tests.chaos.actors import Actor

LOOK_SECONDS: Final = 1.0
SCRAPE_SECONDS_MAX: Final = 5.0


def samples(text: str) -> Iterator[tuple[str, float]]:
    """The counters of an exposition in the text format: (name and labels, value)."""
    counters: set[str] = set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.split(" ")[2:4]
            if kind == "counter":
                counters.add(name)
        elif line and not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            if series.partition("{")[0] in counters:
                yield series, float(value)


@dataclass(slots=True)
class Counters:
    """Heights that counters had; `falls` names each that was lower than before."""

    heights: dict[str, float] = field(default_factory=dict)
    falls: list[str] = field(default_factory=list)
    scrapes: int = 0

    def look(self, text: str, when: str = "") -> None:
        """Take one scrape in. A counter that is absent says nothing."""
        self.scrapes += 1
        for series, value in samples(text):
            before = self.heights.get(series, 0.0)
            if value < before:
                self.falls.append(f"{when} {series} fell from {before:.0f} to {value:.0f}".strip())
            self.heights[series] = max(before, value)


@dataclass(slots=True)
class Memory:
    """The most resident memory that each actor's processes had, in MB, and how it was made up."""

    peak_mb: dict[str, float] = field(default_factory=dict)
    #: When that was, and what each process of the actor had.
    peak_parts: dict[str, str] = field(default_factory=dict)

    def look(self, actor: Actor, when: str = "") -> None:
        """Measure an actor and all that it started."""
        if not actor.child.alive:
            return
        try:
            pid = actor.child.pid
            parts = {each: memory_of(each).now_mb for each in (pid, *children(pid))}
            named = ", ".join(f"{program(each)} {mb:.0f}" for each, mb in parts.items())
        except (OSError, KeyError):  # it ended while it was looked at
            return
        now_mb = sum(parts.values())
        if now_mb > self.peak_mb.get(actor.name, 0.0):
            self.peak_mb[actor.name] = now_mb
            self.peak_parts[actor.name] = f"{when} {named}".strip()


class Watch:
    """Looks at the exporter and at the processes every second."""

    def __init__(
        self,
        exporter_port: int,
        actors: Callable[[], list[Actor]],
        seconds_since_start: Callable[[], float],
    ) -> None:
        self._port = exporter_port
        self._actors = actors
        self._since_start = seconds_since_start
        self.counters = Counters()
        self.memory = Memory()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        self._thread.join(10)

    def _run(self) -> None:
        looks = 0
        while not self._stopped.wait(LOOK_SECONDS):
            text = self._scrape()
            if text is not None:
                self.counters.look(text, f"{self._since_start():.1f} s:")
            looks += 1
            if looks % 3 == 0:
                for actor in self._actors():
                    self.memory.look(actor, f"{self._since_start():.0f} s:")

    def _scrape(self) -> str | None:
        connection = http.client.HTTPConnection(LOOPBACK, self._port, timeout=SCRAPE_SECONDS_MAX)
        try:
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
            text = answer.read().decode()
            return text if answer.status == 200 else None
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
