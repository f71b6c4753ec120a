"""The canary on the real services: exact, over restarts, on no bill; and it finds what is wrong."""

from __future__ import annotations

import json
import signal
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from urllib.parse import urlencode

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client
from prometheus_client.parser import text_string_to_metric_families

from schemas.canary import CANARY
from services.billing.focus import charge_queries
from services.billing.periods import parse_period
from services.billing.statement_queries import read_tenants
from services.canary.books import INPUT_TOKENS, ROUND_EVENTS, Metered, book
from services.exporter.control_room import queries as room
from services.exporter.control_room.figures import window_of
from services.local_stack.pipeline import Pipeline
from services.reconcile.meter_queries import read_providers
from tests.integration.conftest import PipelineFactory
from tests.waiting import eventually

#: Of which a row of the registers is made by hand.
ANOTHER_LOG = "another"
#: The alerts that the canary's own metrics are for.
ALERTS = ("Missing", "Doubled", "TokensDiffer", "Late")


@pytest.fixture(scope="module")
def watched(pipelines: PipelineFactory) -> Pipeline:
    return pipelines(
        canary=True,
        env={
            "WATTOKEN_CANARY_ROUND_SECONDS": "1",
            "WATTOKEN_CANARY_MISSING_SECONDS": "10",
            "WATTOKEN_EXPORTER_HEIGHTS_SECONDS": "0",
        },
    )


@pytest.fixture
def database(watched: Pipeline) -> Iterator[Client]:
    env = watched.env
    client = clickhouse_connect.get_client(
        host=env["WATTOKEN_CLICKHOUSE_HOST"],
        port=int(env["WATTOKEN_CLICKHOUSE_PORT"]),
        database=env["WATTOKEN_CLICKHOUSE_DATABASE"],
    )
    yield client
    client.close()


def shown(pipeline: Pipeline, service: str = "canary") -> dict[str, float]:
    """What a service shows, without what is of other canaries or kinds."""
    url = f"{pipeline.addresses[service]}/metrics"
    with urllib.request.urlopen(url, timeout=30) as answer:
        text = answer.read().decode()
    return {
        "".join([sample.name.removeprefix("wattoken_"), *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def visible(pipeline: Pipeline) -> float:
    return shown(pipeline)["canary_visible_events_total"]


def assert_nothing_is_wrong(pipeline: Pipeline) -> None:
    found = shown(pipeline)
    for name in (
        *("missing_events", "doubled_events"),
        *("difference_tokensinput", "difference_tokensoutput"),
    ):
        assert found[f"canary_{name}"] == 0, name


def in_registers(client: Client) -> Metered:
    """What they hold of the canary."""
    events, inputs, outputs = client.query(
        "SELECT sum(requests), sum(input_tokens), sum(output_tokens) FROM registers"
        " WHERE region = {name:String}",
        parameters={"name": CANARY},
    ).first_row
    return Metered(int(events), int(inputs), int(outputs))


def test_what_it_sends_is_in_the_registers_to_the_token(
    watched: Pipeline, database: Client
) -> None:
    eventually("three rounds", lambda: visible(watched) >= 3 * ROUND_EVENTS)
    found = shown(watched)
    assert found["canary_freshness_seconds_count"] == found["canary_visible_events_total"]
    with stopped(watched):
        # What was sent last comes too.
        eventually("whole rounds", lambda: in_registers(database).events % ROUND_EVENTS == 0)
        held = in_registers(database)
    assert held.events >= 3 * ROUND_EVENTS
    assert held == book(held.events)


@contextmanager
def stopped(pipeline: Pipeline) -> Iterator[None]:
    """End the canary in order, and start it again."""
    pipeline.canary.stop()
    assert pipeline.canary.exit_code == 0
    yield
    pipeline.canary.restart()


def test_killed_at_any_moment_it_goes_on_where_it_was(watched: Pipeline, database: Client) -> None:
    for pause in (0.0, 0.3, 0.7):
        eventually("a round", lambda: visible(watched) >= ROUND_EVENTS)
        time.sleep(pause)
        watched.canary.kill(signal.SIGKILL)
        watched.canary.restart()
    eventually("two rounds", lambda: visible(watched) >= 2 * ROUND_EVENTS)
    assert_nothing_is_wrong(watched)
    assert in_registers(database).is_right


def test_it_waits_out_an_aggregator_that_is_gone(watched: Pipeline) -> None:
    """Its events are late, then missing, and found when they come; nothing is sent meanwhile."""
    watched.aggregator.kill(signal.SIGSTOP)
    try:
        eventually("missing", lambda: shown(watched)["canary_missing_events"] > 0)
        found = shown(watched)
        assert found["canary_sent_events_total"] - found["canary_visible_events_total"] == 8
        assert found["canary_oldest_unseen_seconds"] > 10
    finally:
        watched.aggregator.kill(signal.SIGCONT)
    before = visible(watched)
    eventually("it goes on", lambda: visible(watched) >= before + 2 * ROUND_EVENTS)
    assert_nothing_is_wrong(watched)


def test_it_sends_again_what_ingest_may_have_taken(watched: Pipeline, database: Client) -> None:
    watched.ingest.kill(signal.SIGKILL)
    eventually("it notices", lambda: shown(watched)["canary_oldest_unacknowledged_seconds"] > 1)
    assert shown(watched)["canary_failed_attempts_totalingest_unreachable"] > 0
    watched.ingest.restart()
    before = visible(watched)
    eventually("it goes on", lambda: visible(watched) >= before + ROUND_EVENTS)
    assert_nothing_is_wrong(watched)


def test_it_is_on_no_bill_and_in_nobodys_totals(watched: Pipeline, database: Client) -> None:
    metered = database.query(
        "SELECT sum(requests) FROM usage_hour WHERE tenant = {name:String}",
        parameters={"name": CANARY},
    ).first_row[0]
    assert metered > 0
    for view, column in (
        *((one, "tenant") for one in ("charges", "charge_parts", "statements")),
        *((one, "region") for one in ("demand_15m", "region_demand_15m", "sliding_demand")),
        *((one, "region") for one in ("peak_demand", "load_factor", "load_duration")),
        *((one, "region") for one in ("data_quality", "generation_mix", "region_minutes")),
        ("token_density", "model"),
    ):
        found = database.query(f"SELECT count() FROM {view} WHERE {column} LIKE '{CANARY}%'")
        assert found.first_row[0] == 0, view
    assert database.query("SELECT count() FROM token_league").first_row[0] == 0
    month = parse_period(f"{datetime.now(UTC):%Y-%m}")
    assert read_tenants(database, month) == []
    asked = charge_queries.Asked(month.start, month.end, None, "hour")
    assert charge_queries.metered(database, asked) == {}
    assert charge_queries.billed(database, asked) == []
    assert read_providers(database) == []
    window = window_of(time.time())
    assert room.read_load(database, window) == []
    assert room.read_registers(database, window) == []
    of_usage = [
        name
        for name in shown(watched, "exporter")
        if CANARY in name and not name.startswith("canary_metered_")
    ]
    assert of_usage == []


def test_what_is_counted_twice_is_found_and_alerts(
    watched: Pipeline, database: Client, prometheus_url: str
) -> None:
    """A row of the registers by hand, of another log, as a second meter would write it."""
    eventually("a round", lambda: visible(watched) >= ROUND_EVENTS)
    assert firing(prometheus_url, watched) == set()
    row = {
        **dict.fromkeys(("region", "provider", "model"), CANARY),
        **{"entry": "usage", "log": ANOTHER_LOG, "partition": 0, "version": 1},
        **{"requests": 2, "input_tokens": INPUT_TOKENS + 5, "output_tokens": 7},
    }
    database.insert("slices_register", [list(row.values())], column_names=list(row))
    eventually("doubled", lambda: shown(watched)["canary_doubled_events"] == 2)
    found = shown(watched)
    assert found["canary_difference_tokensinput"] == 5 - INPUT_TOKENS
    assert found["canary_difference_tokensoutput"] != 0
    before = visible(watched)
    eventually("it goes on", lambda: visible(watched) >= before + ROUND_EVENTS)
    eventually(
        "they fire",
        lambda: firing(prometheus_url, watched) == {"Doubled", "TokensDiffer"},
        seconds=120,
    )


def firing(url: str, pipeline: Pipeline) -> set[str]:
    """Which of the canary's alerts fire."""
    query = f'ALERTS{{alertstate="firing", pipeline="{pipeline.name}"}}'
    with urllib.request.urlopen(
        f"{url}/api/v1/query?{urlencode({'query': query})}", timeout=10
    ) as answer:
        found = json.load(answer)["data"]["result"]
    names = {one["metric"]["alertname"].removeprefix("WattokenCanary") for one in found}
    return names & set(ALERTS)


def test_a_restart_says_it_again_and_not_once_it_is_gone(
    watched: Pipeline, database: Client
) -> None:
    """It is read off the registers: a restart neither forgets it nor remembers it."""
    watched.canary.kill(signal.SIGKILL)
    watched.canary.restart()
    eventually("two rounds", lambda: visible(watched) >= 2 * ROUND_EVENTS)
    assert shown(watched)["canary_doubled_events"] == 2
    database.command(f"DELETE FROM slices_register WHERE log = '{ANOTHER_LOG}'")
    eventually("it is gone", lambda: shown(watched)["canary_doubled_events"] == 0)
    watched.canary.kill(signal.SIGKILL)
    watched.canary.restart()
    eventually("two rounds", lambda: visible(watched) >= 2 * ROUND_EVENTS)
    assert_nothing_is_wrong(watched)
