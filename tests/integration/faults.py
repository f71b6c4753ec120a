"""Load with a ledger, and the faults and questions that the aggregator's tests share."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from threading import get_ident
from typing import Any

import httpx
from clickhouse_connect.driver.client import Client
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from prometheus_client.parser import text_string_to_metric_families

from services.local_stack.infrastructure import Infrastructure
from services.local_stack.pipeline import Pipeline
from services.local_stack.ports import LOOPBACK, pick_port
from services.local_stack.processes import Child
from services.local_stack.services import service_plan, wattoken_command
from services.platform.clickhouse import connect
from services.platform.kafka import admin_client, describe_log
from services.platform.settings import ClickHouseSettings, KafkaSettings
from tests.integration.migrated_here import PipelineMigratedHere
from tests.waiting import eventually

PARTITIONS = 4
#: Every kind of trouble that an event can be, often enough for a short run to have plenty of it.
TROUBLE = (
    *("--duplicates", "0.08", "--late", "0.03", "--disorder", "0.05", "--poison", "0.005"),
    *("--too-old", "0.002", "--too-new", "0.002", "--adjustments", "0.02"),
)
COMMAND_TIMEOUT_SECONDS = 180
_numbers = itertools.count(1)
#: A client of its own for each look would read all authorities that this machine trusts; a kept
#: connection would be one to a worker that has ended since.
_plain_http = httpx.Client(
    trust_env=False, timeout=5, verify=False, limits=httpx.Limits(max_keepalive_connections=0)
)


@contextmanager
def metering(infrastructure: Infrastructure, **env: str) -> Iterator[PipelineMigratedHere]:
    """Run an aggregator on a topic and a database of its own; ``env`` are settings for it.

    Unlike the fixture's, this pipeline ends with its test: idle ones cost the next test time.
    """
    with PipelineMigratedHere(
        infrastructure,
        f"faults{next(_numbers)}",
        partitions=PARTITIONS,
        services=("aggregator",),
        env={f"WATTOKEN_{name.upper()}": value for name, value in env.items()},
    ) as pipeline:
        yield pipeline


class Load:
    """A fleet that sends straight onto the topic from a process of its own, and its ledger."""

    def __init__(self, pipeline: Pipeline, ledger: Path, *, rate: int, seed: int) -> None:
        options = ["--rate", str(rate), "--seed", str(seed), "--ledger", str(ledger), "--json"]
        self._process = subprocess.Popen(
            wattoken_command("simulate", "--duration", "600", *options, *TROUBLE),
            env={**os.environ, **pipeline.env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def stop(self) -> int:
        """End it in order: all that it sent is acknowledged. Return how many events that were."""
        self._process.send_signal(signal.SIGINT)
        said, errors = self._process.communicate(timeout=60)
        assert self._process.returncode == 0, errors
        return int(json.loads(said)["acknowledged"])

    def end(self) -> None:
        """End it at once, where a test failed before it came to `stop`."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


@contextmanager
def load(pipeline: Pipeline, ledger: Path, *, rate: int, seed: int = 1) -> Iterator[Load]:
    """Send ``rate`` events a second until `Load.stop`."""
    running = Load(pipeline, ledger, rate=rate, seed=seed)
    try:
        yield running
    finally:
        running.end()


def send(pipeline: Pipeline, ledger: Path, *, events: int, seed: int = 1) -> None:
    """Send events with every kind of trouble as fast as it goes, the newest of them now."""
    options = ("--fast", "--rate", str(events), "--duration", "1", "--seed", str(seed))
    code, said, errors = run(pipeline, "simulate", *options, "--ledger", str(ledger), *TROUBLE)
    assert code == 0, said + errors


def audit(pipeline: Pipeline, ledger: Path) -> dict[str, Any]:
    """Wait until the log is metered to its end, then compare with the ledger."""
    options = ("--ledger", str(ledger), "--json", "--timeout", "40")
    _, said, errors = run(pipeline, "audit", *options)
    assert said, errors[-3000:]
    result: dict[str, Any] = json.loads(said)
    return result


def run(pipeline: Pipeline, *arguments: str) -> tuple[int, str, str]:
    """Run a `wattoken` command; give its exit code, what it printed and what it complained of.

    In this process where what migrates is in it too, for a process spends most of its time with
    reading what this one has read.
    """
    if isinstance(pipeline, PipelineMigratedHere):
        ran = pipeline.run_here(*arguments)
        return ran.exit_code, ran.stdout, f"{ran.stderr}{ran.exception or ''}"
    done = subprocess.run(
        wattoken_command(*arguments),
        env={**os.environ, **pipeline.env},
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def assert_exact(pipeline: Pipeline, ledger: Path) -> dict[str, Any]:
    """Hold that every row and every count is what the ledger says."""
    result = audit(pipeline, ledger)
    assert result["counts"] == [], result["counts"]
    assert result["rows"] == [], result["rows"][:5]
    assert result["exact"]
    assert result["metered_events"] > 0
    return result


def add_worker(pipeline: Pipeline, name: str) -> Child:
    """Launch one more worker of the same group, with port and state folder of its own."""
    plan = service_plan(
        "aggregator",
        pick_port(None),
        pipeline.env,
        pipeline.infrastructure.logs / f"{pipeline.name}-{name}.log",
        pipeline.infrastructure.data / "services" / pipeline.name / name,
    )
    env = {
        **plan.env,
        "WATTOKEN_AGGREGATOR_STATE_DIR": str(plan.directory / "state"),
        # A name would keep its partitions after its orderly end, too, until the session ends.
        "WATTOKEN_AGGREGATOR_INSTANCE_ID": "",
    }
    return pipeline.supervisor.launch(replace(plan, name=name, env=env))


def metric(worker: Child, name: str) -> float:
    """Sum of a metric's samples as a worker shows them, its name without `wattoken_aggregator_`."""
    url = f"http://{LOOPBACK}:{worker.plan.env['WATTOKEN_AGGREGATOR_PORT']}/metrics"
    text = _plain_http.get(url).text
    name = f"wattoken_aggregator_{name}"
    families = [one for one in text_string_to_metric_families(text) if name.startswith(one.name)]
    assert families, f"no metric {name}: its sum would be 0 whatever happens"
    return sum(
        sample.value for family in families for sample in family.samples if sample.name == name
    )


def database(pipeline: Pipeline) -> closing[Client]:
    """A connection to the pipeline's database, as a context manager."""
    return closing(
        connect(
            ClickHouseSettings(
                clickhouse_port=pipeline.infrastructure.ports.clickhouse_http,
                clickhouse_database=pipeline.database,
            )
        )
    )


def select(pipeline: Pipeline, query: str) -> list[tuple[Any, ...]]:
    """Answer of a query, asked by a client that is kept: to make one costs ten times as much."""
    client = _kept_client(
        pipeline.infrastructure.ports.clickhouse_http, pipeline.database, get_ident()
    )
    return [tuple(row) for row in client.query(query).result_rows]


@lru_cache(maxsize=8)
def _kept_client(port: int, name: str, thread: int) -> Client:
    """A client of one thread, for no two may use one at once."""
    return connect(ClickHouseSettings(clickhouse_port=port, clickhouse_database=name))


def kafka_admin(pipeline: Pipeline) -> AdminClient:
    """An admin client for the pipeline's broker; to be held until its answer has come."""
    servers = pipeline.infrastructure.bootstrap_servers
    return admin_client(KafkaSettings(kafka_bootstrap_servers=servers))


def log_name(pipeline: Pipeline) -> str:
    """Name of the log that the topic is now."""
    return describe_log(kafka_admin(pipeline), pipeline.topic).name


def log_ends(pipeline: Pipeline) -> dict[int, int]:
    """Where each partition ends."""
    asked = {TopicPartition(pipeline.topic, p): OffsetSpec.latest() for p in range(PARTITIONS)}
    admin = kafka_admin(pipeline)
    answers = admin.list_offsets(asked)
    return {place.partition: answer.result().offset for place, answer in answers.items()}


def checkpoints(pipeline: Pipeline) -> dict[int, int]:
    """How far each partition of the log is metered."""
    rows = select(
        pipeline,
        f"SELECT partition, next_offset FROM checkpoints FINAL WHERE log = '{log_name(pipeline)}'",
    )
    return {int(partition): int(offset) for partition, offset in rows}


def wait_until_metered(pipeline: Pipeline) -> None:
    """Wait until each checkpoint is at its log's end."""
    eventually("metered", lambda: checkpoints(pipeline) == log_ends(pipeline))


def commits(pipeline: Pipeline) -> dict[int, int]:
    """What the group committed to Kafka; 0 where it never did."""
    asked = [TopicPartition(pipeline.topic, partition) for partition in range(PARTITIONS)]
    request = [ConsumerGroupTopicPartitions(pipeline.group, asked)]
    admin = kafka_admin(pipeline)
    answers = admin.list_consumer_group_offsets(request)
    found = answers[pipeline.group].result().topic_partitions
    return {place.partition: max(0, place.offset) for place in found}
