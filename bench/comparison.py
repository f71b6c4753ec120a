"""The aggregator and its peers side by side: one topic, one after the other, in turns."""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from bench import aggregator, same_rows
from bench.fill import FilledTopic, fill_topic
from bench.generator import grain_of, now_ms, shaped
from bench.insert_recorder import Insert
from bench.java_peers import JAVA_PEERS
from bench.machine import ROOT
from bench.peer_runs import Peer, run_peer
from bench.plan import Plan
from bench.processor_time import ProcessorTime, told
from bench.results import WATTOKEN, Measured
from bench.same_rows import CONNECTIONS
from bench.schedule import interleaved
from services.local_stack.infrastructure import Infrastructure
from services.platform.errors import WattokenError

Say = Callable[[str], None]
LEAST_EVENTS: Final = 5_000
#: So that what one run left to do (merges, deletions) does not run into the next one's time.
PAUSE_SECONDS: Final = 1.0


class Comparison:
    """The programs one after the other, run by run, each alone with broker and ClickHouse."""

    def __init__(
        self,
        infrastructure: Infrastructure,
        plan: Plan,
        chosen: Sequence[Peer],
        measured: Measured,
        say: Say,
    ) -> None:
        self._infrastructure = infrastructure
        self._plan = plan
        self._peers = {peer.name: peer for peer in chosen}
        self._measured = measured
        self._say = say
        self._topics: dict[int, FilledTopic] = {}
        self._inserts: list[Insert] = []

    @property
    def names(self) -> list[str]:
        """All programs that are measured, in the order of their turns."""
        own = [name for name in (WATTOKEN, *CONNECTIONS) if self._plan.wants(name)]
        return [*own, *self._peers]

    def run(self) -> None:
        """Fill the topics, then measure; a run that fails is void and is told at the end."""
        names = self.names
        for name in names:
            self._measured.setup[name] = setup_text(name)
            self._measured.events[name] = self._topic(name).totals.events
            self._measured.events_per_second[name] = []
        for run_number, name in interleaved(names, self._plan.runs):
            with void_if_it_fails(f"{name}, run {run_number}", self._measured, self._say):
                rate = self._measure(name, run_number)
                self._measured.events_per_second[name].append(rate)
                self._say(f"{name}, run {run_number}: {rate:,.0f} events/s")
            time.sleep(PAUSE_SECONDS)

    def _measure(self, name: str, run_number: int) -> float:
        if name == WATTOKEN:
            rate, processors = self._measure_wattoken(run_number)
        elif name in CONNECTIONS:
            rate, processors = self._measure_rows(name, run_number)
        else:
            rate, processors = self._measure_peer(name, run_number)
        self._measured.processors.setdefault(name, []).append(processors)
        self._say(f"{name}, run {run_number}: processors {told(processors)}")
        return rate

    def _measure_wattoken(self, run_number: int) -> tuple[float, ProcessorTime]:
        topic = self._topic(WATTOKEN)
        done = aggregator.measure(
            self._infrastructure, topic, f"bench-{run_number}", env=self._plan.env
        )
        self._measured.memory.append(done.memory)
        return done.events_per_second, done.processors

    def _measure_rows(self, name: str, run_number: int) -> tuple[float, ProcessorTime]:
        topic = self._topic(name)
        if not self._inserts:
            self._inserts = same_rows.record(self._infrastructure, topic, "bench-recorded")
            size_mb = sum(len(insert.body) for insert in self._inserts) / 1e6
            self._say(f"recorded {len(self._inserts)} inserts of {size_mb:,.1f} MB")
        done = same_rows.replay(
            *(self._infrastructure, topic, self._inserts),
            *(f"bench-{name}-{run_number}", CONNECTIONS[name]),
        )
        return done.events / done.seconds, done.processors

    def _measure_peer(self, name: str, run_number: int) -> tuple[float, ProcessorTime]:
        done = run_peer(self._infrastructure, self._peers[name], self._topic(name), run_number)
        report = done.report
        self._measured.versions.update(report.versions)
        if report.second_half_seconds:
            rate = report.events // 2 / report.second_half_seconds
            self._measured.second_half.setdefault(name, []).append(rate)
        return report.events / report.seconds, done.processors

    def _topic(self, name: str) -> FilledTopic:
        """The topic that a program reads: one for each number of events, made on first use."""
        share = self._peers[name].share if name in self._peers else 1.0
        events = min(self._plan.events, max(LEAST_EVENTS, int(self._plan.events * share)))
        if events not in self._topics:
            servers = self._infrastructure.bootstrap_servers
            shape = self._plan.shape
            self._topics[events] = fill_topic(
                *(servers, f"bench.{events}", self._plan.partitions),
                *(shaped(shape, events, now_ms()), self._say, grain_of(shape)),
            )
        return self._topics[events]


@contextmanager
def void_if_it_fails(what: str, measured: Measured, say: Say) -> Iterator[None]:
    """Note and tell a measurement that failed; the others go on."""
    try:
        yield
    except WattokenError as error:
        measured.void.append(f"{what}: {error}")
        say(f"{what}: VOID: {error}")


def setup_text(name: str) -> str:
    """How a program is set up: the docstring of its module, or the Javadoc of its class."""
    if name == WATTOKEN:
        return inspect.cleandoc(aggregator.__doc__ or "")
    if name in CONNECTIONS:
        return inspect.cleandoc(same_rows.__doc__ or "")
    if name in JAVA_PEERS:
        return JAVA_PEERS[name].setup
    source = ROOT / "bench" / "peers" / f"{name}.py"
    found = re.match(r'"""(.*?)"""', source.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1].strip()
