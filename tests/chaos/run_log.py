"""The log of a run, one JSON object a line: the plan, what was done when, and what was seen."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.chaos.plan import Plan

Report = Callable[[str], None]
#: What people want to see while it runs; the rest is in the file.
SHOWN = frozenset({"round", "begin", "note", "complaint", "exit", "recovered", "check", "phase"})


class RunLog:
    """Writes the file and tells people; safe for several threads. A context manager."""

    def __init__(self, path: Path, report: Report) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("w", encoding="utf-8")
        self._report = report
        self._lock = threading.Lock()
        self._started = time.monotonic()
        self.complaints: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def seconds(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._started

    def plan(self, plan: Plan) -> None:
        """Write the schedule; `read_plan` finds it again."""
        self._write({"what": "plan", "plan": plan.to_json()})

    def tell(self, what: str, text: str, **more: Any) -> None:
        """Note something; a complaint fails the run."""
        at = self.seconds()
        self._write({"at": round(at, 2), "what": what, "text": text, **more})
        if what == "complaint":
            self.complaints.append(f"{at:.1f} s: {text}")
        if what in SHOWN:
            self._report(f"{at:7.1f} s  {what}: {text}")

    def _write(self, entry: dict[str, Any]) -> None:
        with self._lock:
            if not self._file.closed:
                self._file.write(json.dumps(entry) + "\n")
                self._file.flush()


def read_plan(path: Path) -> Plan:
    """Read the schedule of an earlier run from its log.

    Raises `ValueError` where the file is no such log.
    """
    try:
        with path.open(encoding="utf-8") as file:
            return Plan.from_json(json.loads(file.readline())["plan"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no log of a chaos run: {error}") from None
