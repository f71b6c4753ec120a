"""Alerts on real processes: what goes wrong there fires, and what goes well does not.

A Prometheus of its own has the rules with all waits and windows thirty times as short, a minute
being two seconds: what an alert is about is done to real services, and need not go on for half an
hour. What each does to the minute, promtool tests (tests/contract/test_prometheus_rules.py).
"""

from __future__ import annotations

import json
import re
import signal
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import clickhouse_connect
import pytest
import yaml
from confluent_kafka import Producer

from schemas.canary import CANARY
from services.local_stack.pipeline import Pipeline
from services.local_stack.ports import LOOPBACK, give_back, pick_port
from services.local_stack.prometheus import (
    RULES,
    find_prometheus,
    prometheus_plan,
    write_targets,
)
from services.local_stack.supervisor import Supervisor
from tests.integration.conftest import PipelineFactory
from tests.waiting import eventually

QUIET_SECONDS = 20.0
#: What may fire all the same: prices as old as the checkout, scrapes that a busy machine holds up.
TOLERATED = {"PriceListOld", "MeterDown", "ServiceDown", "BudgetBurnsFast freshness"}
SECONDS = 150.0
#: A duration in a rule: of a window, an offset or a wait.
DURATION = re.compile(r"(?<![\w.])(\d+)([mhd])\b")
SHORT = {"m": (2, "s"), "h": (120, "s"), "d": (48, "m")}


def shortened(text: str) -> str:
    """The durations of an expression, a minute being two seconds."""

    def short(found: re.Match[str]) -> str:
        factor, unit = SHORT[found[2]]
        return f"{int(found[1]) * factor}{unit}"

    return DURATION.sub(short, text)


def quick_rules(folder: Path) -> list[str]:
    folder.mkdir()
    copies = []
    for path in sorted(RULES.glob("*.yml")):
        rules = yaml.safe_load(path.read_text(encoding="utf-8"))
        for group in rules["groups"]:
            group.pop("interval", None)
            for rule in group["rules"]:
                rule["expr"] = shortened(rule["expr"])
                if "for" in rule:
                    rule["for"] = shortened(rule["for"])
        copies.append(folder / path.name)
        copies[-1].write_text(yaml.safe_dump(rules))
    return [str(copy) for copy in copies]


def test_a_minute_is_two_seconds() -> None:
    assert shortened("resets(x[10m]) == 0 and x offset 1h > 2") == (
        "resets(x[20s]) == 0 and x offset 120s > 2"
    )
    assert shortened("avg_over_time(r:rate10m[1d] offset 1h)") == (
        "avg_over_time(r:rate10m[48m] offset 120s)"
    )
    assert shortened("5m") == "10s"


def objective(metric: dict[str, str]) -> list[str]:
    """The objective that an alert is of, where it is of one."""
    return [metric["slo"]] if "slo" in metric else []


class Scene:
    """A pipeline with a canary, and the Prometheus that watches it."""

    def __init__(self, pipeline: Pipeline, url: str, targets: Path) -> None:
        self.pipeline = pipeline
        self.url = url
        self.targets = targets

    def firing(self) -> set[str]:
        query = urlencode({"query": 'ALERTS{alertstate="firing"}'})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{query}", timeout=10) as answer:
            found = json.load(answer)["data"]["result"]
        return {
            " ".join([metric["alertname"].removeprefix("Wattoken"), *objective(metric)])
            for metric in (one["metric"] for one in found)
        }

    def fires(self, *names: str) -> None:
        """Wait until each of them has fired since now."""
        left = set(names)

        def fired() -> bool:
            left.difference_update(self.firing())
            return not left

        try:
            eventually("they fire", fired, SECONDS)
        except AssertionError:
            raise AssertionError(f"never fired: {left}; firing: {self.firing()}") from None

    def watch(self, *services: str) -> None:
        """Have Prometheus know of these services only."""
        ports = {f"wattoken-{name}": self.pipeline.ports[name] for name in services}
        write_targets(self.targets, self.pipeline.name, ports)


@pytest.fixture(scope="module")
def scene(pipelines: PipelineFactory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    binary = find_prometheus()
    if binary is None:
        pytest.skip("Prometheus is not installed and cannot be fetched")
    pipeline = pipelines(
        canary=True,
        accounts=[("acme", "eu-central")],
        env={
            "WATTOKEN_CANARY_ROUND_SECONDS": "1",
            "WATTOKEN_CANARY_MISSING_SECONDS": "10",
            "WATTOKEN_CANARY_TIMEOUT_SECONDS": "5",
            "WATTOKEN_EXPORTER_REFRESH_SECONDS": "1",
            "WATTOKEN_INGEST_DELIVERY_TIMEOUT_SECONDS": "3",
        },
    )
    folder = tmp_path_factory.mktemp("alerts")
    port = pick_port()
    plan = prometheus_plan(binary, folder, port, folder / "prometheus.log")
    config = json.loads((folder / "prometheus.yml").read_text())
    config["global"]["evaluation_interval"] = "1s"
    config["rule_files"] = quick_rules(folder / "rules")
    (folder / "prometheus.yml").write_text(json.dumps(config))
    with ExitStack() as stack:
        stack.callback(give_back, port)
        supervisor = stack.enter_context(Supervisor())
        stack.callback(supervisor.kill)
        made = Scene(pipeline, f"http://{LOOPBACK}:{port}", folder / "targets")
        made.watch(*pipeline.ports)
        supervisor.launch(plan).wait_ready()
        yield made


def post(pipeline: Pipeline, *events: dict[str, Any]) -> int:
    """Send events as a gateway does; returns ingest's status."""
    request = urllib.request.Request(
        f"{pipeline.addresses['ingest']}/v1/events",
        data=b"\n".join(json.dumps(one).encode() for one in events),
        headers={
            "Authorization": f"Bearer {pipeline.credentials[0].key}",
            "Content-Type": "application/x-ndjson",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return int(error.code)
    except OSError:
        return 0


def event(number: int, **fields: Any) -> dict[str, Any]:
    return {
        **{"id": f"a-{number}", "source": "gateway", "time": datetime.now(UTC).isoformat()},
        **{"provider": "openai", "model": "gpt-5.6-luna", "input_tokens": 10, "output_tokens": 5},
        **fields,
    }


@contextmanager
def trouble(pipeline: Pipeline) -> Iterator[None]:
    """Gateways that send what is refused, unpriced and sent before, all the time."""
    enough = threading.Event()
    producer = Producer({"bootstrap.servers": pipeline.infrastructure.bootstrap_servers})

    def send() -> None:
        number = 0
        again = [event(0)] * 10
        while not enough.wait(0.25):
            number += 5
            post(pipeline, *again, event(number, model="nobody-prices-it"))
            post(pipeline, *(event(number, input_tokens=-1) for _ in range(5)))
            for _ in range(20):
                producer.produce(pipeline.topic, b"{}")
            producer.flush(5)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join(60)


def test_where_all_is_well_nothing_fires(scene: Scene) -> None:
    deadline = time.monotonic() + QUIET_SECONDS
    number = 10_000
    while time.monotonic() < deadline:
        number += 1
        assert post(scene.pipeline, event(number)) == 202
        time.sleep(0.2)
    assert scene.firing() <= TOLERATED


def test_what_gateways_do_wrong_fires_and_registers_that_are_wrong(scene: Scene) -> None:
    env = scene.pipeline.env
    client = clickhouse_connect.get_client(
        host=env["WATTOKEN_CLICKHOUSE_HOST"],
        port=int(env["WATTOKEN_CLICKHOUSE_PORT"]),
        database=env["WATTOKEN_CLICKHOUSE_DATABASE"],
    )
    row = {
        **dict.fromkeys(("region", "provider", "model"), CANARY),
        **{"entry": "usage", "log": "another", "partition": 0, "version": 1, "requests": 1},
    }
    client.insert("slices_register", [list(row.values())], column_names=list(row))
    client.close()
    with trouble(scene.pipeline):
        # More than its region's capacity.
        assert post(scene.pipeline, event(40_000, input_tokens=10**11)) == 202
        scene.fires(
            *("EventsRejected", "RejectionsSurge", "TokensUnpriced", "DuplicatesSurge"),
            *("ReserveMarginLow", "BudgetBurnsFast acceptance", "BudgetBurnsFast exactness"),
            *("CanaryDoubled", "CanaryTokensDiffer", "ReconciliationMismatch"),
        )


def test_an_aggregator_that_hangs_fires(scene: Scene) -> None:
    aggregator = scene.pipeline.aggregator
    aggregator.kill(signal.SIGSTOP)
    try:
        for number in range(20_000, 20_020):
            post(scene.pipeline, event(number))
        scene.fires("PartitionStuck", "ServiceDown", "CanaryMissing", "BudgetBurnsFast freshness")
    finally:
        aggregator.kill(signal.SIGCONT)
    eventually("it is well again", lambda: "PartitionStuck" not in scene.firing(), SECONDS)


def test_a_broker_that_hangs_fires(scene: Scene) -> None:
    broker = scene.pipeline.infrastructure.broker
    broker.kill(signal.SIGSTOP)
    try:
        assert post(scene.pipeline, event(30_000)) == 503
        scene.fires("EventsUnacknowledged", "CollectorFailing")
    finally:
        broker.kill(signal.SIGCONT)
    eventually("ingest is well", lambda: post(scene.pipeline, event(30_001)) == 202, SECONDS)


def test_services_that_are_gone_from_discovery_fire(scene: Scene) -> None:
    scene.watch("exporter")
    scene.fires("ServiceGone", "CanaryGone")
    assert "MeterDown" not in scene.firing()
    scene.watch()
    scene.fires("MeterDown")
    scene.watch(*scene.pipeline.ports)
    gone = {"ServiceGone", "CanaryGone", "MeterDown"}
    eventually("they are back", lambda: not gone & scene.firing(), SECONDS)
