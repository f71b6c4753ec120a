"""What analysts ask of ClickHouse over all that is kept: minutes of 90 days, hours of 400.

Each of 40 series (4 regions, 10 models that the catalogue prices, but for one) has a slice for
every minute, and each of 52 tenants one for every hour and four of the series: 5.2 M and 2 M rows,
on four partitions in turn. ClickHouse has its default settings and its caches are warm: each
question is asked once before it is timed. Memory is what ClickHouse says that the query had at its
highest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from clickhouse_connect.driver.client import Client

from bench.errors import VoidRunError
from services.local_stack.infrastructure import Infrastructure
from services.local_stack.pipeline import Pipeline
from services.platform.clickhouse import connect
from services.platform.settings import ClickHouseSettings

MINUTES: Final = 90 * 24 * 60
HOURS: Final = 400 * 24
SERIES: Final = 40
TENANTS: Final = 52
MINUTE_ROWS: Final = MINUTES * SERIES
HOUR_ROWS: Final = HOURS * TENANTS * 4
PARTITIONS: Final = 4
FILL_TIMEOUT_SECONDS: Final = 900.0
#: So that the merges of what was just written are over.
SETTLE_SECONDS: Final = 10.0

REGIONS: Final = ("us-east", "us-west", "eu-central", "cn-north")
MODELS: Final = (
    ("openai", "gpt-5.6-luna"),
    ("minimax", "minimax-m3"),
    ("anthropic", "claude-opus-5.5"),
    ("gcp.gemini", "gemini-3.1-pro"),
    ("deepseek", "deepseek-flash"),
    ("deepseek", "deepseek-v4-pro"),
    ("z.ai", "glm-5.3"),
    ("moonshot", "kimi-k3"),
    ("qwen", "qwen3.7-max"),
    ("nobody", "unheard-of"),
)

#: Series n = number % 40: model n % 10 in region n / 10.
SERIES_COLUMNS: Final = """
    {regions:Array(String)}[1 + intDiv(n, 10)],
    {providers:Array(String)}[1 + n % 10],
    {models:Array(String)}[1 + n % 10]"""
MINUTES_SQL: Final = f"""
INSERT INTO slices_minute
    (window_start, region, provider, model, entry, log, partition, version, requests,
     input_tokens, cache_read_input_tokens, output_tokens)
SELECT
    toStartOfMinute(now('UTC')) - toIntervalMinute(1 + intDiv(number, {SERIES})),
    {SERIES_COLUMNS},
    'usage', 'bench/log', (n + intDiv(number, {SERIES})) % {PARTITIONS}, 1,
    10, 100000 + n, 40000, 20000
FROM (SELECT number, number % {SERIES} AS n FROM numbers({MINUTE_ROWS}))
"""
#: Tenant t has the series t, t + 1, t + 2 and t + 3; every tenth hour is of batches.
HOURS_SQL: Final = f"""
INSERT INTO slices_hour
    (window_start, region, provider, model, tenant, entry, service_tier, context_band, log,
     partition, version, requests, input_tokens, cache_read_input_tokens, output_tokens,
     reasoning_output_tokens)
SELECT
    toStartOfHour(now('UTC')) - toIntervalHour(1 + hour),
    {SERIES_COLUMNS},
    concat('tenant-', leftPad(toString(tenant), 2, '0')),
    'usage', if(hour % 10 = 0, 'batch', ''), if(hour % 7 = 0, 200000, 0), 'bench/log',
    (n + hour) % {PARTITIONS}, 1, 600, 6000000 + n, 2400000, 1200000, 300000
FROM
(
    SELECT
        number % {HOURS} AS hour,
        intDiv(number, {HOURS}) % {TENANTS} AS tenant,
        (tenant + intDiv(number, {HOURS * TENANTS})) % {SERIES} AS n
    FROM numbers({HOUR_ROWS})
)
"""
REGISTERS_SQL: Final = """
INSERT INTO slices_register
    (region, provider, model, entry, log, partition, version, requests, input_tokens,
     output_tokens)
SELECT region, provider, model, 'usage', log, partition, 1, sum(requests), sum(input_tokens),
    sum(output_tokens)
FROM slices_minute
GROUP BY region, provider, model, log, partition
"""

LAST_MONTH: Final = "period_start = toStartOfMonth(now('UTC') - INTERVAL 1 MONTH)"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: one query, or several of which the slowest counts."""

    name: str
    queries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """How one question was answered: the median of its runs, memory, and over how many rows."""

    name: str
    milliseconds: float
    memory_mb: float
    rows_read: int


def sums(view: str, *dimensions: str) -> str:
    """A sum of tokens over all history by some dimensions."""
    named = ", ".join(dimensions)
    return f"SELECT {named}, sum(input_tokens), sum(output_tokens) FROM {view} GROUP BY {named}"


def pairs(view: str, *dimensions: str) -> tuple[str, ...]:
    """Sums by each two of the dimensions."""
    return tuple(sums(view, *pair) for pair in combinations(dimensions, 2))


QUESTIONS: Final = (
    Question(
        "minutes_by_any_two",
        pairs("usage_minute_parts", "toDate(window_start)", "region", "provider", "model"),
    ),
    Question(
        "hours_by_any_two",
        pairs("usage_hour_parts", "toDate(window_start)", "tenant", "region", "provider", "model"),
    ),
    Question("minutes_by_region", (sums("usage_minute_parts", "region"),)),
    Question("usage_minute_by_region", (sums("usage_minute", "region"),)),
    Question("usage_hour_by_tenant", (sums("usage_hour", "tenant"),)),
    Question(
        "last_hour_by_region",
        (
            "SELECT region, window_start, sum(output_tokens) FROM usage_minute"
            " WHERE window_start >= now() - INTERVAL 1 HOUR GROUP BY region, window_start",
        ),
    ),
    Question("demand_by_region", ("SELECT * FROM region_demand_15m",)),
    *(
        Question(
            f"{view}_of_a_month",
            (f"SELECT tenant, sum(amount_usd) FROM {view} WHERE {LAST_MONTH} GROUP BY tenant",),
        )
        for view in ("charges", "charge_parts")
    ),
    Question(
        "charges_of_all_time", ("SELECT tenant, sum(amount_usd) FROM charges GROUP BY tenant",)
    ),
    Question(
        "statement_of_a_tenant",
        (f"SELECT * FROM statements WHERE {LAST_MONTH} AND tenant = 'tenant-07'",),
    ),
    Question("statements_of_a_month", (f"SELECT * FROM statements WHERE {LAST_MONTH}",)),
)


def measure(
    infrastructure: Infrastructure, runs: int, say: Callable[[str], None]
) -> Iterator[Answered]:
    """Fill a database once, then ask each question ``runs`` times after one that is not timed.

    Raises `VoidRunError` where views and slices do not have the same sums.
    """
    with Pipeline(infrastructure, "bench-questions", services=(), accounts=()) as pipeline:
        settings = ClickHouseSettings(
            clickhouse_port=infrastructure.ports.clickhouse_http,
            clickhouse_timeout_seconds=FILL_TIMEOUT_SECONDS,
        )
        with closing(connect(settings, database=pipeline.database)) as client:
            try:
                say(f"questions: filling {MINUTE_ROWS:,} minutes, {HOUR_ROWS:,} hours")
                fill(client)
                time.sleep(SETTLE_SECONDS)
                check(client)
                for question in QUESTIONS:
                    yield ask(client, question, runs)
            finally:
                client.command(f"DROP DATABASE `{pipeline.database}` SYNC")


def fill(client: Client) -> None:
    """Write the slices, up to the last whole minute and hour."""
    labels = {
        "regions": list(REGIONS),
        "providers": [provider for provider, _ in MODELS],
        "models": [model for _, model in MODELS],
    }
    for sql in (MINUTES_SQL, HOURS_SQL):
        client.command(sql, parameters=labels)
    client.command(REGISTERS_SQL)


def check(client: Client) -> None:
    """Raise `VoidRunError` unless slices, their parts and the grouped views have the same sums."""
    for grain in ("minute", "hour"):
        sources = (f"slices_{grain} FINAL", f"usage_{grain}_parts", f"usage_{grain}")
        found = {
            source: client.query(f"SELECT sum(requests), sum(input_tokens) FROM {source}").first_row
            for source in sources
        }
        if len({tuple(map(int, row)) for row in found.values()}) != 1:
            raise VoidRunError(f"sums differ: {found}")


def ask(client: Client, question: Question, runs: int) -> Answered:
    """Ask its queries in turn; the one with the highest median counts."""
    answers = [ask_one(client, question.name, query, runs) for query in question.queries]
    return max(answers, key=lambda answer: answer.milliseconds)


def ask_one(client: Client, name: str, query: str, runs: int) -> Answered:
    """Ask one query and read its rows, which are few in all of them."""
    seconds, memory, rows = [], 0, 0
    for number in range(runs + 1):
        begin = time.perf_counter()
        summary = client.query(query, settings={"wait_end_of_query": 1}).summary
        if number > 0:
            seconds.append(time.perf_counter() - begin)
        memory = max(memory, int(summary.get("memory_usage", 0)))
        rows = int(summary["read_rows"])
    return Answered(name, sorted(seconds)[len(seconds) // 2] * 1000, memory / 1e6, rows)
