"""`make bench`: the aggregator and its peers in one run, then recovery and freshness."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from bench import (
    attacks,
    durability,
    exporter,
    freshness,
    ingest,
    questions,
    recovery,
)
from bench.comparison import Comparison, Say, void_if_it_fails
from bench.generator import Load, grain_of, now_ms
from bench.machine import ROOT
from bench.peer_runs import peers
from bench.plan import Plan
from bench.results import Measured, document, write
from bench.worker import clickhouse_client
from services.local_stack.infrastructure import Infrastructure
from services.local_stack.kafka import kafka_version

CHART = ROOT / "docs" / "img" / "throughput.png"


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
        comparison = Comparison(infrastructure, plan, chosen, measured, say)
        comparison.run()
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

        grain = grain_of(plan.shape)
        draw_throughput(rates, subtitle(plan, contents["machine"]), chart, grain)
        say(f"wrote {chart}")
    return not set(comparison.names) - set(rates)


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


def subtitle(plan: Plan, machine: dict[str, object]) -> str:
    """The line under the chart's title."""
    return (
        f"{plan.events:,} JSON events of about 230 bytes, {plan.partitions} partitions, median of"
        f" {plan.runs}; everything on {machine['cores']} cores ({machine['cpu']})"
    )


def say(line: str) -> None:
    """Print a line at once."""
    print(line, file=sys.stderr, flush=True)
