"""`make bench`: the aggregator and its peers in one run, then recovery and freshness."""

from __future__ import annotations

import inspect
import re
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from bench import (
    aggregator,
    attacks,
    durability,
    exporter,
    freshness,
    ingest,
    questions,
    recovery,
)
from bench.fill import PARTITIONS, FilledTopic, fill_topic
from bench.generator import Load, now_ms, shaped
from bench.machine import ROOT
from bench.peer_runs import Peer, peers, run_peer
from bench.processor_time import told
from bench.results import WATTOKEN, Measured, document, write
from bench.schedule import interleaved
from bench.worker import clickhouse_client
from services.local_stack.infrastructure import Infrastructure
from services.local_stack.kafka import kafka_version
from services.platform.errors import WattokenError

Say = Callable[[str], None]
CHART = ROOT / "docs" / "img" / "throughput.png"
LEAST_EVENTS = 5_000
#: So that what one run left to do (merges, deletions) does not run into the next one's time.
PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure and how often."""

    events: int = 2_000_000
    runs: int = 3
    slices: int = 1_000_000
    freshness_rate: float = 30_000
    freshness_seconds: float = 30
    ingest_seconds: float = 10
    #: Names of programs and of `recovery`, `freshness`, `ingest`, `attacks`, `durability`,
    #: `exporter`, `questions`; empty means all.
    only: Collection[str] = ()
    minute_slices: int = 50_000_000
    #: What the events of the programs' runs look like, one of `bench.generator.SHAPES`, and on how
    #: many partitions they lie.
    shape: str = "usual"
    partitions: int = PARTITIONS
    #: What the worker holds at most before ids move to disk; None as shipped.
    ids_in_memory: int | None = None

    def wants(self, name: str) -> bool:
        """Whether this part is to be measured."""
        return not self.only or name in self.only

    @property
    def env(self) -> dict[str, str]:
        """What the worker is told besides its defaults."""
        if self.ids_in_memory is None:
            return {}
        return {"WATTOKEN_AGGREGATOR_IDS_IN_MEMORY_MAX": str(self.ids_in_memory)}


def run(plan: Plan, results: Path, chart: Path, say: Say) -> bool:
    """Measure, write result file and chart; False if a wanted program has no valid run.

    Raises `StackError` when broker or ClickHouse do not start.
    """
    chosen = peers(say, plan.wants)
    measured = Measured(settings=asdict(plan))
    state_dir = ROOT / ".wattoken" / f"bench-{time.strftime('%Y%m%d-%H%M%S')}"
    infrastructure = Infrastructure(state_dir, broker="kafka", prometheus="none", report=say)
    with infrastructure:
        measured.versions = stack_versions(infrastructure)
        Comparison(infrastructure, plan, chosen, measured, say).run()
        if plan.wants("recovery"):
            measure_recovery(infrastructure, plan, measured, say)
        if plan.wants("freshness"):
            measure_freshness(infrastructure, plan, measured, say)
        if plan.wants("ingest"):
            measure_ingest(infrastructure, plan, measured, say)
        if plan.wants("attacks"):
            measure_attacks(infrastructure, plan, measured, say)
        if plan.wants("durability"):
            measure_durability(infrastructure, plan, measured, say)
        if plan.wants("exporter"):
            measure_exporter(infrastructure, plan, measured, say)
        if plan.wants("questions"):
            measure_questions(infrastructure, plan, measured, say)
    contents = document(measured)
    write(results, contents)
    say(f"wrote {results}")
    rates = contents["benchmarks"]["aggregator"]
    if rates:
        from bench.chart import draw_throughput

        draw_throughput(rates, subtitle(plan, contents["machine"]), chart)
        say(f"wrote {chart}")
    wanted = {peer.name for peer in chosen} | ({WATTOKEN} if plan.wants(WATTOKEN) else set())
    return not wanted - set(rates)


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

    def run(self) -> None:
        """Fill the topics, then measure; a run that fails is void and is told at the end."""
        names = [*([WATTOKEN] if self._plan.wants(WATTOKEN) else []), *self._peers]
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
        topic = self._topic(name)
        if name == WATTOKEN:
            done = aggregator.measure(
                self._infrastructure, topic, f"bench-{run_number}", env=self._plan.env
            )
            self._measured.memory.append(done.memory)
            self._measured.processors.append(done.processors)
            self._say(f"{name}, run {run_number}: processors {told(done.processors)}")
            return done.events_per_second
        report = run_peer(self._infrastructure, self._peers[name], topic, run_number)
        self._measured.versions.update(report.versions)
        if report.second_half_seconds:
            rate = report.events // 2 / report.second_half_seconds
            self._measured.second_half.setdefault(name, []).append(rate)
        return report.events / report.seconds

    def _topic(self, name: str) -> FilledTopic:
        """The topic that a program reads: one for each number of events, made on first use."""
        share = self._peers[name].share if name in self._peers else 1.0
        events = min(self._plan.events, max(LEAST_EVENTS, int(self._plan.events * share)))
        if events not in self._topics:
            servers = self._infrastructure.bootstrap_servers
            load = shaped(self._plan.shape, events, now_ms())
            self._topics[events] = fill_topic(
                servers, f"bench.{events}", self._plan.partitions, load, self._say
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


def measure_recovery(
    infrastructure: Infrastructure, plan: Plan, measured: Measured, say: Say
) -> None:
    """Kill and restart a worker with many slices."""
    with void_if_it_fails("rebuild", measured, say):
        load = Load(plan.events, now_ms(), seed=3)
        for done in recovery.measure(infrastructure, load, plan.runs, "bench.rebuild", say):
            measured.rebuilding.append(done)
            say(f"rebuild: {done.rebuilt_ids_per_second:,.0f} ids/s read again")
    with void_if_it_fails("recovery", measured, say):
        load = recovery.many_tenants(plan.slices)
        for done in recovery.measure(infrastructure, load, plan.runs, "bench.slices", say):
            measured.recovery.append(done)
            say(
                f"recovery with {done.slices:,} slices: {done.seconds:.1f} s,"
                f" then {done.rebuilt_ids_per_second:,.0f} ids/s read again"
            )


def measure_freshness(
    infrastructure: Infrastructure, plan: Plan, measured: Measured, say: Say
) -> None:
    """Measure the way from ingest's 202 to the view under load."""
    for number in range(1, plan.runs + 1):
        with void_if_it_fails(f"freshness, run {number}", measured, say):
            done = freshness.measure(
                *(infrastructure, plan.freshness_rate, plan.freshness_seconds),
                f"fresh-{number}",
            )
            measured.freshness.append(done)
            say(
                f"freshness, run {number}: p50 {done.p50_seconds:.2f} s, p99"
                f" {done.p99_seconds:.2f} s at {done.load_events_per_second:,.0f} events/s"
            )


def measure_exporter(
    infrastructure: Infrastructure, plan: Plan, measured: Measured, say: Say
) -> None:
    """Scrape an exporter that has many label sets over many minute slices."""
    with void_if_it_fails("exporter", measured, say):
        for done in exporter.measure(infrastructure, plan.minute_slices, plan.runs, say):
            measured.exporter.append(done)
            say(
                f"exporter, {done.series:,} label sets over {done.minute_slices:,} minute slices:"
                f" p99 {done.scrape_p99_ms:.0f} ms, median {done.scrape_median_ms:.0f} ms,"
                f" {done.rss_mb:.0f} MB"
            )


def measure_questions(
    infrastructure: Infrastructure, plan: Plan, measured: Measured, say: Say
) -> None:
    """Ask ClickHouse what analysts ask, over all that is kept."""
    with void_if_it_fails("questions", measured, say):
        for answered in questions.measure(infrastructure, plan.runs, say):
            measured.questions.append(answered)
            say(
                f"{answered.name}: {answered.milliseconds:,.0f} ms,"
                f" {answered.memory_mb:,.0f} MB, {answered.rows_read:,} rows read"
            )


def measure_attacks(
    infrastructure: Infrastructure, plan: Plan, measured: Measured, say: Say
) -> None:
    """Measure a well-behaved client of ingest while others attack it."""
    with void_if_it_fails("attacks", measured, say):
        for done in attacks.measure(infrastructure, plan.ingest_seconds, "attacked"):
            measured.attacks.append(done)
            late = "" if done.p99_ms <= attacks.P99_MS_MAX else " TOO SLOW"
            say(
                f"attack {done.attack}: p99 {done.p99_ms:.0f} ms, median {done.p50_ms:.0f} ms,"
                f" {done.refused} of {done.requests} refused;"
                f" {done.attacker_requests:,} times{late}"
            )


def measure_durability(
    infrastructure: Infrastructure, plan: Plan, measured: Measured, say: Say
) -> None:
    """Measure what fsync costs, in ClickHouse and in Kafka."""
    with void_if_it_fails("durability", measured, say):
        load = Load(plan.events, now_ms(), seed=5)
        for done in durability.measure(infrastructure, load, plan.runs):
            measured.durability.append(done)
            say(
                f"{done.part} {'with' if done.synced else 'without'} fsync:"
                f" {done.events_per_second:,.0f} events/s, one write {done.single_ms:.1f} ms"
            )


def measure_ingest(
    infrastructure: Infrastructure, plan: Plan, measured: Measured, say: Say
) -> None:
    """Measure ingest on one core, and beside it the framework's empty handler."""
    for number in range(1, plan.runs + 1):
        with void_if_it_fails(f"ingest, run {number}", measured, say):
            done = ingest.measure(infrastructure, plan.ingest_seconds, f"ingest-{number}")
            measured.ingest.append(done)
            say(
                f"ingest, run {number}: {done.batch_events_per_second:,.0f} events/s in batches"
                f" ({done.batch_events_per_cpu_second:,.0f} a CPU second),"
                f" {done.single_requests_per_second:,.0f} single requests/s"
                f" ({done.single_requests_per_cpu_second:,.0f} a CPU second), p99 at half of it"
                f" {done.single_p99_ms:.1f} ms; empty handler"
                f" {done.empty_handler_requests_per_second:,.0f} requests/s"
            )


def stack_versions(infrastructure: Infrastructure) -> dict[str, str]:
    """Versions of broker, ClickHouse and Wattoken."""
    with closing(clickhouse_client(infrastructure, "default")) as client:
        clickhouse = str(client.server_version)
    return {"wattoken": version("wattoken"), "kafka": kafka_version(), "clickhouse": clickhouse}


def setup_text(name: str) -> str:
    """How a program is set up: the docstring of its module, or the Javadoc of its class."""
    if name == WATTOKEN:
        return inspect.cleandoc(aggregator.__doc__ or "")
    if name == "kafka_streams":
        source = next((ROOT / "bench" / "kafka-streams").rglob("WindowedSum.java"))
        found = re.search(r"/\*\*(.*?)\*/", source.read_text(encoding="utf-8"), re.DOTALL)
        assert found is not None
        lines = (line.strip().removeprefix("*").strip() for line in found[1].splitlines())
        return "\n".join(lines).replace("<p>", "").strip()
    source = ROOT / "bench" / "peers" / f"{name}.py"
    found = re.match(r'"""(.*?)"""', source.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1].strip()


def subtitle(plan: Plan, machine: dict[str, object]) -> str:
    """The line under the chart's title."""
    return (
        f"{plan.events:,} JSON events of about 230 bytes, {plan.partitions} partitions, median of"
        f" {plan.runs}; everything on {machine['cores']} cores ({machine['cpu']})"
    )


def say(line: str) -> None:
    """Print a line at once."""
    print(line, file=sys.stderr, flush=True)
