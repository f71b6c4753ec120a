"""What programs took during a measurement: shares of the processors, what stood idle, memory.

No explanation of a number stands without it: a program that waits is mended elsewhere than one
that works.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from services.local_stack.process_table import (
    cpu_seconds,
    descendants,
    idle_seconds,
    memory_of,
    program,
)

#: Often enough to see a wait of a second, rare enough to take nothing from what is watched.
LOOK_SECONDS: Final = 0.25
#: Programs by what their processes run; others keep that name.
NAMES: Final = {
    "kafka.Kafka": "broker",
    "clickhouse_server": "clickhouse",
    "services.cli": "worker",
    "services.aggregator.decoding.process": "decoders",
    "dev.wattoken.bench.WindowedSum": "kafka_streams",
    "dev.wattoken.bench.FlinkSql": "flink_sql",
}
#: Programs of this folder are called as they are there.
PEERS: Final = "bench.peers."


@dataclass(frozen=True, slots=True)
class Look:
    """When (Unix time), processor seconds so far by program and idle, and memory then, in MB."""

    at: float
    by_program: dict[str, float]
    idle: float
    memory_mb: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProcessorTime:
    """From one moment to another: seconds, and processors kept busy on average.

    ``by_program`` and ``idle`` together are the number of processors, but for what programs of
    others took. ``over_time`` has the same for each stretch, with its end in seconds.
    ``memory_peak_mb`` is the most resident memory (10^6 bytes) that all processes of a program were
    seen to have at once.
    """

    seconds: float
    by_program: dict[str, float]
    idle: float
    over_time: list[dict[str, float]]
    memory_peak_mb: dict[str, float] = field(default_factory=dict)

    def rounded(self) -> ProcessorTime:
        """The same, as it is written down."""
        by_program = {name: round(busy, 2) for name, busy in self.by_program.items()}
        memory = {name: round(most, 1) for name, most in self.memory_peak_mb.items()}
        return ProcessorTime(
            round(self.seconds, 2), by_program, round(self.idle, 2), self.over_time, memory
        )


def told(time: ProcessorTime) -> str:
    """What the processors did, in a line."""
    programs = (f"{name} {busy:.2f}" for name, busy in time.by_program.items())
    return ", ".join([*programs, f"idle {time.idle:.2f}"])


class ProcessorWatch:
    """Looks at all processes that this one has started, while the context lasts."""

    def __init__(self) -> None:
        self._looks: list[Look] = []
        self._by_process: dict[int, tuple[str, float]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def between(self, started: float, ended: float) -> ProcessorTime:
        """What was done between two moments (Unix time), as nearly as it was looked."""
        looks = [look for look in self._looks if started <= look.at <= ended + LOOK_SECONDS]
        if len(looks) < 2:
            return ProcessorTime(0.0, {}, 0.0, [])
        return summary(looks)

    def _watch(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            self._looks.append(self._look())

    def _look(self) -> Look:
        memory: dict[str, float] = {}
        for pid in [os.getpid(), *descendants(os.getpid())]:
            # It has ended: what it had used stays, and its memory is given back.
            with suppress(OSError, KeyError):
                name = "bench" if pid == os.getpid() else self._name(pid)
                self._by_process[pid] = name, cpu_seconds(pid)
                memory[name] = memory.get(name, 0.0) + memory_of(pid).now_mb
        total: dict[str, float] = {}
        for name, seconds in self._by_process.values():
            total[name] = total.get(name, 0.0) + seconds
        return Look(time.time(), total, idle_seconds(), memory)

    def _name(self, pid: int) -> str:
        """What a process runs; one that has ended, and is not waited for yet, says nothing more."""
        known, _ = self._by_process.get(pid, ("ended", 0.0))
        return called(program(pid)) or known


def called(program: str) -> str:
    """What a program is called in results."""
    return NAMES.get(program, program.removeprefix(PEERS))


def summary(looks: list[Look]) -> ProcessorTime:
    """Processors kept busy between the first look and the last, and from each to the next."""
    first, last = looks[0], looks[-1]
    return ProcessorTime(
        last.at - first.at,
        _busy(first, last),
        (last.idle - first.idle) / (last.at - first.at),
        [
            {
                "until": round(after.at - first.at, 2),
                **{name: round(busy, 2) for name, busy in _busy(before, after).items()},
                "idle": round((after.idle - before.idle) / (after.at - before.at), 2),
            }
            for before, after in zip(looks, looks[1:], strict=False)
        ],
        _most(look.memory_mb for look in looks),
    )


def _most(looks: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The highest value of each name."""
    most: dict[str, float] = {}
    for look in looks:
        for name, value in look.items():
            most[name] = max(most.get(name, 0.0), value)
    return most


def _busy(before: Look, after: Look) -> dict[str, float]:
    seconds = after.at - before.at
    return {
        name: busy
        for name, used in after.by_program.items()
        if (busy := (used - before.by_program.get(name, 0.0)) / seconds) >= 0.005
    }
