"""The scenario token-era through the real pipeline: the league shows what the reports say."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from schemas.metering_rules import MeteringRules
from services.local_stack.errors import StackError
from services.local_stack.pipeline import Pipeline
from services.platform.clickhouse import connect
from services.platform.settings import ClickHouseSettings
from services.simulator.token_era import REPORTED_UNTIL, WEEKS
from tests.integration.conftest import PipelineFactory

EVENTS = 6 * 7 * 24 * 16


def last_sunday() -> date:
    """The Sunday of the reports while its weeks are still kept, else the last one."""
    today = datetime.now(UTC).date()
    kept_days = MeteringRules().hour_retention_ms // 86_400_000
    if today - REPORTED_UNTIL < timedelta(days=kept_days - 7 * len(WEEKS) - 2):
        return REPORTED_UNTIL
    return today - timedelta(days=today.isoweekday())


def query(pipeline: Pipeline, sql: str) -> list[tuple[Any, ...]]:
    settings = ClickHouseSettings(
        clickhouse_port=pipeline.infrastructure.ports.clickhouse_http,
        clickhouse_database=pipeline.database,
    )
    with closing(connect(settings)) as client:
        return [tuple(row) for row in client.query(sql).result_rows]


@pytest.fixture(scope="module")
def told(pipelines: PipelineFactory) -> Iterator[Pipeline]:
    """A pipeline that has metered the scenario."""
    options = ("--max-event-age-days", "399")
    pipeline = pipelines(services=["aggregator"], migrate_options=options)
    until = str(last_sunday())
    said = pipeline.run("simulate", "--scenario", "token-era", "--until", until, "--json")
    assert json.loads(said.strip().splitlines()[-1])["acknowledged"] == EVENTS
    deadline = time.monotonic() + 120
    metered = "SELECT sum(accepted), sum(received) FROM checkpoints FINAL"
    while query(pipeline, metered) != [(EVENTS, EVENTS)] and time.monotonic() < deadline:
        time.sleep(0.2)
    assert query(pipeline, metered) == [(EVENTS, EVENTS)]
    yield pipeline


def test_the_league_shows_the_second_week_in_a_row(told: Pipeline) -> None:
    last_week = last_sunday() - timedelta(days=6)
    rows = query(told, "SELECT week_start, origin, tokens, rank, leading_weeks FROM token_league")
    league = {(week, origin): (tokens, *rest) for week, origin, tokens, *rest in rows}
    assert league[last_week, "CN"] == (4_690_000_000_000, 1, 2)
    assert league[last_week, "US"][1:] == (2, 0)
    week_before = last_week - timedelta(days=7)
    assert league[week_before, "CN"][1:] == (1, 1)
    # Before that the US led, from the first week on.
    for streak in range(1, 5):
        week = week_before - timedelta(weeks=5 - streak)
        assert league[week, "US"][1:] == (1, streak), week
        assert league[week, "CN"][1:] == (2, 0), week
    assert len({week for week, _ in league}) == len(WEEKS)
    if last_sunday() == REPORTED_UNTIL:
        assert last_week == date(2026, 3, 9)


def test_all_tokens_of_all_weeks_are_in_the_mix(told: Pipeline) -> None:
    totals = [sum(week) for week in WEEKS]
    rows = query(
        told,
        "SELECT week_start, sum(tokens), max(complete), uniqExact(region), uniqExact(author)"
        " FROM generation_mix GROUP BY week_start ORDER BY week_start",
    )
    assert [(tokens, complete) for _, tokens, complete, *_ in rows] == [(t, 1) for t in totals]
    assert all(regions == 7 and authors >= 14 for *_, regions, authors in rows)


def test_a_log_that_would_reject_the_events_is_named_before_anything_is_sent(
    pipelines: PipelineFactory,
) -> None:
    pipeline = pipelines(services=())
    with pytest.raises(StackError, match=r"older than 35 days.*\n?.*--max-event-age-days \d+"):
        pipeline.run("simulate", "--scenario", "token-era", "--until", str(last_sunday()))
