"""The demo ends exact; and its audit finds what is wrong when something is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from clickhouse_connect.driver.client import Client
from prometheus_client.parser import text_string_to_metric_families

from services.local_stack.errors import StackError
from services.local_stack.infrastructure import Infrastructure
from services.local_stack.pipeline import Pipeline
from services.local_stack.services import wattoken_command
from services.platform.clickhouse import connect
from services.platform.settings import ClickHouseSettings
from tests.integration.conftest import PipelineFactory
from tests.waiting import eventually

FIELDS = {
    *("events_sent", "unique_events", "metered_events", "duplicates_dropped", "rejected"),
    *("mismatched_rows", "exact", "broker", "clickhouse_version", "elapsed_seconds"),
}
ROOT = Path(__file__).parents[2]


def demo_command(*options: str) -> list[str]:
    return wattoken_command("demo", "--seconds", "4", "--rate", "500", *options)


def demo_env() -> dict[str, str]:
    # What was fetched for the other tests is used again, though the demo runs elsewhere.
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.mark.usefixtures("usual_ports")
def test_demo_ends_exact(infrastructure: Infrastructure, tmp_path: Path) -> None:
    done = subprocess.run(
        demo_command("--broker", "kafka"),
        cwd=tmp_path,
        env=demo_env(),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    result = json.loads((tmp_path / "out" / "demo.json").read_text())
    assert result.keys() == FIELDS
    assert result["exact"] is True
    assert result["mismatched_rows"] == 0
    assert result["broker"].startswith("Apache Kafka 4")
    assert result["unique_events"] == result["metered_events"] > 1_900
    assert result["duplicates_dropped"] > 10
    assert result["events_sent"] == (
        result["metered_events"] + result["duplicates_dropped"] + result["rejected"]
    )


@pytest.mark.usefixtures("usual_ports")
def test_demo_keeps_running_until_it_is_told_to_end(
    infrastructure: Infrastructure, tmp_path: Path
) -> None:
    """The lines it prints to try work as they are."""
    process = subprocess.Popen(
        demo_command("--broker", "tansu", "--keep"),
        cwd=tmp_path,
        env=demo_env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if "Ctrl-C ends" in line:
                break
        text = "".join(lines)
        assert process.poll() is None, text
        commands = [line.strip() for line in lines if line.strip().startswith("curl ")]
        assert len(commands) >= 3, text
        for command in commands:
            tried = subprocess.run(
                ["bash", "-c", f"set -o pipefail; {command}"],
                env={**os.environ, "no_proxy": "127.0.0.1"},
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
            assert tried.returncode == 0, f"{command}\n{tried.stdout}{tried.stderr}"
            assert tried.stdout.strip(), command
            assert "Exception" not in tried.stdout, tried.stdout
        assert json.loads((tmp_path / "out" / "demo.json").read_text())["broker"].startswith(
            "tansu"
        )
        room = next(line.split()[-1] for line in lines if line.startswith("Control room"))
        assert "text/html" in httpx.get(room, trust_env=False).headers["content-type"]
        before = requests_metered(room)
        eventually("the fleet goes on", lambda: requests_metered(room) > before + 100)
    finally:
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0, rest[-3000:]


def requests_metered(exporter: str) -> float:
    text = httpx.get(f"{exporter}metrics", trust_env=False).text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "wattoken_requests_total"
    )


def client_of(pipeline: Pipeline) -> Client:
    return connect(
        ClickHouseSettings(
            clickhouse_port=pipeline.infrastructure.ports.clickhouse_http,
            clickhouse_database=pipeline.database,
        )
    )


def audit(pipeline: Pipeline, ledger: Path) -> dict[str, Any]:
    """Run `wattoken audit`; its exit code must say what its result says."""
    done = subprocess.run(
        wattoken_command("audit", "--ledger", str(ledger), "--json", "--timeout", "30"),
        env={**os.environ, **pipeline.env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if result["exact"] else 1)
    return result


@pytest.fixture(scope="module")
def metered(pipelines: PipelineFactory, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A pipeline that metered a fleet with every fault, and the fleet's ledger."""
    pipeline = pipelines(services=("ingest", "aggregator"))
    ledger = tmp_path_factory.mktemp("audit") / "ledger"
    faults = ["--duplicates", "0.1", "--late", "0.05", "--poison", "0.02", "--too-old", "0.02"]
    faults += ["--too-new", "0.02", "--adjustments", "0.05", "--ledger", str(ledger), "--json"]
    pipeline.run("simulate", "--rate", "2000", "--duration", "2", "--fast", *faults)
    tenants = sorted({credential.tenant for credential in pipeline.credentials})
    keys = ledger.parent / "keys"
    keys.mkdir()
    for tenant in tenants:
        key = next(item.key for item in pipeline.credentials if item.tenant == tenant)
        (keys / f"{tenant}.key").write_text(key)
    over_http = ("--via", "http", "--url", pipeline.addresses["ingest"], "--keys", str(keys))
    pipeline.run(
        "simulate", "--rate", "1000", "--duration", "2", "--seed", "2", *over_http, *faults
    )
    return pipeline, ledger


def test_audit_of_a_fleet_with_every_fault_is_exact(metered: tuple[Pipeline, Path]) -> None:
    result = audit(*metered)
    assert result["counts"] == []
    assert result["rows"] == []
    assert result["exact"] is True
    assert min(result["rows_compared"].values()) > 50
    assert result["duplicates_dropped"] > 300
    assert result["late"] > 150


def test_audit_finds_a_changed_a_missing_and_an_extra_row(metered: tuple[Pipeline, Path]) -> None:
    pipeline, ledger = metered
    with closing(client_of(pipeline)) as client:
        # A later version of one slice, with one token more.
        client.command(
            "INSERT INTO slices_register SELECT * REPLACE (version + 1 AS version,"
            " input_tokens + 1 AS input_tokens) FROM slices_register FINAL"
            " WHERE entry = 'usage' ORDER BY region, provider, model, partition LIMIT 1"
        )
        changed = audit(pipeline, ledger)["rows"]
        assert [(row["view"], row["kind"]) for row in changed] == [("registers", "different")]
        column = changed[0]["columns"]["input_tokens"]
        assert column["found"] == column["expected"] + 1

        client.command(
            "INSERT INTO slices_minute SELECT * REPLACE ('nowhere' AS region)"
            " FROM slices_minute FINAL LIMIT 1"
        )
        kinds = [(row["view"], row["kind"]) for row in audit(pipeline, ledger)["rows"]]
        assert ("usage_minute", "extra") in kinds

        client.command(
            "INSERT INTO slices_unit SELECT * REPLACE (version + 1 AS version,"
            " quantity + 1 AS quantity) FROM slices_unit FINAL"
            " ORDER BY tenant, window_start, unit, partition LIMIT 1"
        )
        client.command(
            "INSERT INTO slices_hour SELECT * REPLACE ('reserved' AS service_tier)"
            " FROM slices_hour FINAL WHERE entry = 'usage' LIMIT 1"
        )
        rows = audit(pipeline, ledger)["rows"]
        (unit,) = [row for row in rows if row["view"] == "usage_unit_hours"]
        assert unit["columns"]["quantity"]["found"] == unit["columns"]["quantity"]["expected"] + 1
        (tier,) = [row for row in rows if row["view"] == "usage_hour_entries"]
        assert (tier["kind"], tier["key"][-2]) == ("extra", "reserved")

        client.command(
            "DELETE FROM slices_hour WHERE (window_start, tenant, region, provider, model) IN"
            " (SELECT window_start, tenant, region, provider, model FROM usage_hour LIMIT 1)"
        )
        kinds = [(row["view"], row["kind"]) for row in audit(pipeline, ledger)["rows"]]
        assert ("usage_hour", "missing") in kinds


def test_audit_gives_up_on_an_aggregator_that_does_not_run(
    pipelines: PipelineFactory, tmp_path: Path
) -> None:
    pipeline = pipelines(services=())
    ledger = str(tmp_path / "ledger")
    pipeline.run("simulate", "--rate", "100", "--duration", "1", "--fast", "--ledger", ledger)
    started = time.monotonic()
    with pytest.raises(StackError, match="no progress for 2 s"):
        pipeline.run("audit", "--ledger", ledger, "--timeout", "2")
    assert time.monotonic() - started < 30


def test_dead_letters_are_listed_shown_and_put_back(metered: tuple[Pipeline, Path]) -> None:
    pipeline, _ = metered
    listed = json.loads(pipeline.run("dead-letters", "list", "--json", "--limit", "500"))
    assert set(listed["reasons"]) == {"invalid_json", "invalid_event", "too_old", "too_new"}
    assert len(listed["newest"]) == sum(listed["reasons"].values())
    place = next(item for item in listed["newest"] if item["reason"] == "too_old")
    shown = pipeline.run(
        *("dead-letters", "show", str(place["partition"]), str(place["offset"]), "--json")
    )
    assert json.loads(shown) == place
    # Nothing was fixed yet, so all of them would come back: none is put back.
    left = pipeline.run("dead-letters", "requeue", "--reason", "too_old", "--yes")
    assert f"0 put back onto {pipeline.topic}, {listed['reasons']['too_old']:,} left" in left
    assert "it is still too old" in left


def test_a_dead_letter_that_would_pass_now_is_put_back_and_counted_once(
    metered: tuple[Pipeline, Path],
) -> None:
    pipeline, _ = metered
    event = {
        **{"id": "fixed-1", "source": "gw", "tenant": "acme", "region": "fixed"},
        **{"time": datetime.now(UTC).isoformat(), "provider": "p", "model": "m"},
        **{"input_tokens": 70, "output_tokens": 7},
    }
    payload = json.dumps(event)
    with closing(client_of(pipeline)) as client:
        # As an aggregator of an older version left it.
        client.insert(
            "dead_letters",
            [["c/t", 0, 1, "t", "older_version", "…", payload, len(payload), datetime.now(UTC)]],
            column_names=[
                *("log", "partition", "offset", "topic", "reason", "error", "payload"),
                *("payload_bytes", "append_time"),
            ],
        )
        duplicates = "SELECT sum(duplicate) FROM checkpoints FINAL"
        before = client.query(duplicates).result_rows[0][0]
        for _ in range(2):
            told = pipeline.run("dead-letters", "requeue", "--reason", "older_version", "--yes")
            assert f"1 put back onto {pipeline.topic}, 0 left" in told
        query = "SELECT requests, input_tokens, output_tokens FROM registers"
        deadline = time.monotonic() + 30
        rows: list[tuple[int, ...]] = []
        while time.monotonic() < deadline:
            rows = [
                tuple(row) for row in client.query(f"{query} WHERE region = 'fixed'").result_rows
            ]
            if rows and client.query(duplicates).result_rows[0][0] == before + 1:
                break
            time.sleep(0.2)
        assert client.query(duplicates).result_rows[0][0] == before + 1
    assert rows == [(1, 70, 7)]
