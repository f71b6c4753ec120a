"""The exporter as shipped, `wattoken exporter`, over 10,000 label sets and 50 M minute slices.

The slices are computed by ClickHouse itself: each label set has one slice a minute, on the twelve
partitions in turn, and registers, hours and checkpoints to match. Scrapes come one after the other,
packed as Prometheus asks for it; what is timed is the whole answer. The exporter keeps its default
settings, so demand, peaks, bills, league and reconciliation are read again beside the scrapes all
the while. Memory is the process's resident set at its highest.
"""

from __future__ import annotations

import gzip
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

from clickhouse_connect.driver.client import Client

from bench.errors import BenchError, VoidRunError
from bench.schedule import percentile
from services.exporter.settings import ExporterSettings
from services.local_stack.infrastructure import Infrastructure
from services.local_stack.pipeline import Pipeline
from services.local_stack.process_table import memory_of
from services.platform.clickhouse import connect
from services.platform.settings import ClickHouseSettings

SERIES = 10_000
PARTITIONS = 12
SCRAPES = 120
PAUSE_SECONDS = 0.25
#: So long the exporter is left to make its first readings before it is timed.
WARM_UP_SECONDS = 60.0
SETTLE_SECONDS = 5.0
FILL_TIMEOUT_SECONDS = 900.0

#: Label set n = number % SERIES: 20 regions, 25 providers, 20 models of each.
MINUTES_SQL = """
INSERT INTO slices_minute
    (window_start, region, provider, model, entry, log, partition, version, requests,
     input_tokens, output_tokens)
SELECT
    toStartOfMinute(now('UTC')) - toIntervalMinute(1 + intDiv(number, {series:UInt64})),
    concat('region-', leftPad(toString(n % 20), 2, '0')),
    concat('provider-', leftPad(toString(intDiv(n, 20) % 25), 2, '0')),
    concat('model-', leftPad(toString(intDiv(n, 500)), 2, '0')),
    'usage', 'bench/log', (n + intDiv(number, {series:UInt64})) % {partitions:UInt64}, 1,
    10, 1000 + n, 500
FROM
(
    SELECT number, number % {series:UInt64} AS n
    FROM numbers({series:UInt64} * {minutes:UInt64})
)
"""
HOURS_SQL = """
INSERT INTO slices_hour
    (window_start, region, provider, model, tenant, entry, log, partition, version, requests,
     input_tokens, output_tokens)
SELECT toStartOfHour(window_start) AS hour, region, provider, model, 'bench', 'usage', 'bench/log',
    0, 1, sum(requests), sum(input_tokens), sum(output_tokens)
FROM slices_minute
GROUP BY hour, region, provider, model
"""
REGISTERS_SQL = """
INSERT INTO slices_register
    (region, provider, model, entry, log, partition, version, requests, input_tokens,
     output_tokens)
SELECT region, provider, model, 'usage', 'bench/log', partition, 1, sum(requests),
    sum(input_tokens), sum(output_tokens)
FROM slices_minute
GROUP BY region, provider, model, partition
"""
CHECKPOINTS_SQL = """
INSERT INTO checkpoints (log, partition, topic, next_offset, start_offset, received, accepted)
SELECT log, partition, 'bench', sum(requests), 0, sum(requests), sum(requests)
FROM slices_register
GROUP BY log, partition
"""


@dataclass(frozen=True, slots=True)
class Scraped:
    """One measurement: the scrapes' 99th percentile and median, memory, and over how much."""

    scrape_p99_ms: float
    scrape_median_ms: float
    rss_mb: float
    series: int
    minute_slices: int
    scrapes: int
    body_mb: float


def measure(
    infrastructure: Infrastructure, minute_slices: int, runs: int, say: Callable[[str], None]
) -> Iterator[Scraped]:
    """Fill a database once, then start the exporter and scrape it ``runs`` times."""
    minutes = max(PARTITIONS, -(-minute_slices // SERIES // PARTITIONS) * PARTITIONS)
    with Pipeline(infrastructure, "bench-exporter", services=(), accounts=()) as pipeline:
        settings = ClickHouseSettings(
            clickhouse_port=infrastructure.ports.clickhouse_http,
            clickhouse_timeout_seconds=FILL_TIMEOUT_SECONDS,
        )
        with closing(connect(settings, database=pipeline.database)) as client:
            try:
                say(f"exporter: filling {minutes * SERIES:,} minute slices")
                fill(client, minutes)
                time.sleep(SETTLE_SECONDS)
                for number in range(1, runs + 1):
                    yield scrape_one(infrastructure, pipeline.database, number, minutes * SERIES)
            finally:
                client.command(f"DROP DATABASE `{pipeline.database}` SYNC")


def fill(client: Client, minutes: int) -> None:
    """Write ``minutes`` (a multiple of 12) of slices for each label set, up to the last minute."""
    sizes = {"series": SERIES, "partitions": PARTITIONS, "minutes": minutes}
    client.command(MINUTES_SQL, parameters=sizes)
    for sql in (HOURS_SQL, REGISTERS_SQL, CHECKPOINTS_SQL):
        client.command(sql)


def scrape_one(
    infrastructure: Infrastructure, database: str, number: int, minute_slices: int
) -> Scraped:
    """Start an exporter, let it read everything once, then time its answers."""
    env = {
        "WATTOKEN_CLICKHOUSE_DATABASE": database,
        "WATTOKEN_EXPORTER_TIMEOUT_SECONDS": str(ExporterSettings().exporter_timeout_seconds),
    }
    name = f"bench-exporter-{number}"
    with Pipeline(
        infrastructure, name, services=["exporter"], accounts=(), partitions=PARTITIONS, env=env
    ) as pipeline:
        url = f"{pipeline.addresses['exporter']}/metrics"
        text = warm_up(url)
        check(text)
        seconds = []
        for _ in range(SCRAPES):
            time.sleep(PAUSE_SECONDS)
            begin = time.perf_counter()
            fetch(url)
            seconds.append(time.perf_counter() - begin)
        memory = memory_of(pipeline.exporter.pid)
    return Scraped(
        scrape_p99_ms=percentile(seconds, 99) * 1000,
        scrape_median_ms=percentile(seconds, 50) * 1000,
        rss_mb=memory.peak_mb,
        series=SERIES,
        minute_slices=minute_slices,
        scrapes=SCRAPES,
        body_mb=len(text) / 1e6,
    )


def warm_up(url: str) -> str:
    """Scrape until every collector has answered; raises `BenchError` when one does not."""
    deadline = time.monotonic() + WARM_UP_SECONDS
    while True:
        text = gzip.decompress(fetch(url)).decode()
        failing = re.findall(r'collector_success\{collector="(\w+)"\} 0', text)
        if not failing:
            return text
        if time.monotonic() > deadline:
            raise BenchError(f"the exporter does not read {', '.join(failing)}")
        time.sleep(1)


def check(text: str) -> None:
    """Raise `VoidRunError` unless every label set is shown and all totals agree."""
    shown = text.count("\nwattoken_input_tokens_total{")
    demand = text.count("\nwattoken_block_demand_tokens_per_second{")
    differences = re.findall(r"^wattoken_reconciliation_difference_\S+ (\S+)$", text, re.MULTILINE)
    if (shown, demand, set(differences)) != (SERIES, SERIES, {"0"}):
        raise VoidRunError(f"{shown} registers, {demand} demands, differences {differences}")


def fetch(url: str) -> bytes:
    """The answer as Prometheus asks for it, packed."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})
    with opener.open(request, timeout=60) as answer:
        body: bytes = answer.read()
    return body
