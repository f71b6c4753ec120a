"""The whole pipeline, exact to the token, on the oldest and the newest of all it stands on at once.

The versions between are those of the local stack, which every other test runs on.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from services.local_stack.errors import ComponentMissing
from services.local_stack.infrastructure import Infrastructure
from services.local_stack.pipeline import Pipeline
from services.local_stack.prometheus import fetch_prometheus
from services.platform.supported import CLICKHOUSE, PYTHON, minor_release
from tests.integration.conftest import missing
from tests.integration.faults import TROUBLE, assert_exact, select
from tests.versions import clickhouse, kafka, python
from tests.versions.infrastructure import OtherInfrastructure
from tests.versions.prometheus import newest_prometheus
from tests.waiting import eventually

EVENTS = 3000


@contextmanager
def running(infrastructure: Infrastructure) -> Iterator[Pipeline]:
    with infrastructure, Pipeline(infrastructure, "versions", partitions=4) as pipeline:
        yield pipeline


def meter_and_audit(pipeline: Pipeline, folder: Path) -> None:
    """Send a faulty fleet's events through ingest; compare all totals, then what Prometheus has."""
    for credential in pipeline.credentials:
        (folder / f"{credential.tenant}.key").write_text(credential.key)
    ledger = folder / "ledger"
    pipeline.run(
        *("simulate", "--fast", "--rate", str(EVENTS), "--duration", "1", *TROUBLE),
        *("--via", "http", "--url", pipeline.addresses["ingest"]),
        *("--keys", str(folder), "--ledger", str(ledger)),
    )
    audited = assert_exact(pipeline, ledger)
    assert audited["metered_events"] > EVENTS / 2
    ((requests,),) = select(pipeline, "SELECT sum(requests) FROM registers")

    def scraped() -> bool:
        query = {"query": "sum(wattoken_requests_total)"}
        url = f"{pipeline.infrastructure.prometheus_url}/api/v1/query"
        answer = httpx.get(url, params=query, trust_env=False).json()
        return [row["value"][1] for row in answer["data"]["result"]] == [str(requests)]

    eventually("scraped", scraped)
    assert examined(pipeline) == []


def examined(pipeline: Pipeline) -> list[dict[str, str]]:
    """What the doctor finds wrong with versions, topics and tables."""
    checks = ("versions", "topics", "schema", "metering", "retention", "parts")
    said = pipeline.run("doctor", "--json", *(f"--only={name}" for name in checks))
    findings: list[dict[str, str]] = json.loads(said)["findings"]
    brokers = [one for one in findings if one["what"].startswith("Kafka at ")]
    assert brokers, "the broker tells its version"
    return [one for one in findings if one["level"] not in ("ok", "skipped")] + [
        one for one in brokers if one["level"] != "ok"
    ]


def server_version(pipeline: Pipeline) -> tuple[int, int]:
    return minor_release(select(pipeline, "SELECT version()")[0][0])


def test_the_oldest_of_everything(tmp_path: Path) -> None:
    oldest = clickhouse.tested_versions()[0]
    try:
        binary = fetch_prometheus(print)
        stack = OtherInfrastructure(
            tmp_path / "stack",
            kafka=kafka.OLDEST,
            clickhouse=oldest,
            prometheus=binary,
            report=print,
        )
        with running(stack) as pipeline:
            assert server_version(pipeline) == CLICKHOUSE.oldest
            meter_and_audit(pipeline, tmp_path)
    except ComponentMissing as error:
        missing(error)


def test_the_newest_of_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of ClickHouse the newest that is had as a server; services run on the newest Python."""
    interpreter = python.environment(PYTHON.newest)
    if interpreter.exists():
        # What starts services and commands asks for it.
        monkeypatch.setattr(sys, "executable", str(interpreter))
    try:
        stack = OtherInfrastructure(
            tmp_path / "stack", kafka=kafka.NEWEST, prometheus=newest_prometheus(), report=print
        )
        with running(stack) as pipeline:
            meter_and_audit(pipeline, tmp_path)
            assert pipeline.aggregator.plan.command[0] == sys.executable
    except ComponentMissing as error:
        missing(error)
