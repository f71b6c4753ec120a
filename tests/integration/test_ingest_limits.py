"""Keys, limits and backpressure of ingest as a process on a real broker."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from confluent_kafka import Consumer, KafkaException, TopicPartition
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from schemas import wire
from services.ingest.keys.entry import KeyLimits
from services.ingest.keys.store import KeyStore
from services.ingest.openapi import document
from services.local_stack.infrastructure import Infrastructure
from services.local_stack.pipeline import Pipeline
from services.local_stack.process_table import memory_of
from tests.waiting import eventually

DELIVERY_TIMEOUT_SECONDS = 2.0
IN_FLIGHT_BYTES_MAX = 2_000_000
#: What 12 requests of a few hundred kilobytes may add to a process that holds 2 MB in flight.
GROWTH_MB_MAX = 60
SCHEMA = schemathesis.openapi.from_dict(document(version("wattoken")))
schemathesis.serializer.alias("application/x-protobuf", "application/octet-stream")


@pytest.fixture(scope="module")
def pipeline(pipelines: Callable[..., Pipeline]) -> Pipeline:
    return pipelines(
        services=["ingest"],
        accounts=[("acme", "eu-central")],
        env={
            "WATTOKEN_INGEST_DELIVERY_TIMEOUT_SECONDS": str(DELIVERY_TIMEOUT_SECONDS),
            "WATTOKEN_INGEST_IN_FLIGHT_BYTES_MAX": str(IN_FLIGHT_BYTES_MAX),
            # The events here have the time of when they were written.
            "WATTOKEN_INGEST_EVENT_AGE_MAX_DAYS": "36500",
            "WATTOKEN_INGEST_KEYS_RELOAD_SECONDS": "0.1",
        },
    )


@pytest.fixture(scope="module")
def store(pipeline: Pipeline) -> KeyStore:
    """The keys file of the running ingest."""
    return KeyStore(
        Path(pipeline.env["WATTOKEN_INGEST_KEYS_FILE"]),
        Path(pipeline.env["WATTOKEN_INGEST_PEPPER_FILE"]),
    )


class Gateway:
    """Sends with one key."""

    def __init__(self, pipeline: Pipeline, key: str) -> None:
        self.address = pipeline.addresses["ingest"]
        self.headers = {"Authorization": f"Bearer {key}"}

    def send(self, *events: dict[str, Any]) -> httpx.Response:
        return httpx.post(
            f"{self.address}/v1/events", json=list(events), headers=self.headers, timeout=30
        )

    def whoami(self) -> httpx.Response:
        return httpx.get(f"{self.address}/v1/whoami", headers=self.headers)

    def send_until(self, status: int, *events: dict[str, Any]) -> httpx.Response:
        """Send the same again until the answer is this; fails after half a minute."""
        deadline = time.monotonic() + 30
        while (answer := self.send(*events)).status_code != status:
            assert time.monotonic() < deadline, answer.text
            time.sleep(0.1)
        return answer


def event(event_id: str, **fields: Any) -> dict[str, Any]:
    base = {"id": event_id, "source": "gw", "time": "2026-03-15T12:00:00Z", "model": "m"}
    return {**base, "provider": "p", "input_tokens": 1, "output_tokens": 2, **fields}


def now() -> datetime:
    return datetime.now(UTC)


def metric(pipeline: Pipeline, name: str) -> float:
    text = httpx.get(f"{pipeline.addresses['ingest']}/metrics").text
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    assert found is not None, name
    return float(found[1])


def test_keys_come_and_go_without_a_restart(pipeline: Pipeline, store: KeyStore) -> None:
    key_id, text = store.create(now(), "globex", "us", regions=("us",), scopes=("ingest", "read"))
    gateway = Gateway(pipeline, text)
    gateway.send_until(202, event("come-1"))
    assert gateway.send(event("come-2", region="eu")).json()["rejected"][0]["code"] == (
        "region_not_allowed"
    )
    told = gateway.whoami().json()
    assert (told["tenant"], told["regions"], told["id"]) == ("globex", ["us"], key_id)
    _, fresh = store.rotate(key_id, now(), timedelta(hours=1))
    Gateway(pipeline, fresh).send_until(202, event("come-3"))
    assert gateway.send(event("come-4")).status_code == 202
    store.revoke(key_id)
    eventually("revoked", lambda: gateway.whoami().status_code == 403)
    answer = gateway.send(event("gone-1"))
    assert answer.status_code == 403
    assert "revoked" in answer.json()["error"]["message"]
    assert ids(pipeline, "gone-") == set()
    assert ids(pipeline, "come-") == {"come-1", "come-3", "come-4"}


def test_a_broken_keys_file_keeps_the_keys(pipeline: Pipeline, store: KeyStore) -> None:
    file = Path(pipeline.env["WATTOKEN_INGEST_KEYS_FILE"])
    good = file.read_text()
    gateway = Gateway(pipeline, pipeline.credentials[0].key)
    file.write_text("keys: [")
    failures = "wattoken_ingest_key_reload_failures_total"
    deadline = time.monotonic() + 10
    while metric(pipeline, failures) == 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert metric(pipeline, failures) == 1
    assert gateway.send(event("broken-1")).status_code == 202
    file.write_text(good)
    _, text = store.create(now(), "acme", "eu")
    Gateway(pipeline, text).send_until(202, event("broken-2"))


def test_a_key_beyond_its_rate_waits_and_others_do_not(pipeline: Pipeline, store: KeyStore) -> None:
    _, text = store.create(now(), "acme", "eu", limits=KeyLimits(events_per_second=10))
    gateway = Gateway(pipeline, text)
    gateway.send_until(202, *(event(f"rate-{number}") for number in range(50)))
    answer = gateway.send(event("rate-50"))
    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "rate_limited"
    assert 1 <= int(answer.headers["retry-after"]) <= 3
    assert Gateway(pipeline, pipeline.credentials[0].key).send(event("rate-x")).status_code == 202
    time.sleep(int(answer.headers["retry-after"]))
    assert gateway.send(event("rate-50")).status_code == 202
    assert len(ids(pipeline, "rate-")) == 52


def test_a_key_names_no_more_models_than_its_limit(pipeline: Pipeline, store: KeyStore) -> None:
    _, text = store.create(now(), "acme", "eu", limits=KeyLimits(models_max=2))
    gateway = Gateway(pipeline, text)
    gateway.send_until(202, event("few-1", model="a"), event("few-2", model="b"))
    answer = gateway.send(event("few-3", model="a"), event("few-4", model="c"))
    assert answer.status_code == 207
    assert [item["code"] for item in answer.json()["rejected"]] == ["too_many_models"]
    assert ids(pipeline, "few-") == {"few-1", "few-2", "few-3"}


def test_a_broker_outage_costs_no_event_and_no_memory(
    pipeline: Pipeline, infrastructure: Infrastructure
) -> None:
    gateway = Gateway(pipeline, pipeline.credentials[0].key)
    batches = [
        [event(f"out-{number}-{n}", model="m" * 100) for n in range(1500)] for number in range(12)
    ]
    gateway.send_until(202, event("warm-up"))
    before = memory_of(pipeline.ingest.pid)
    with paused(infrastructure):
        with ThreadPoolExecutor(len(batches)) as pool:
            answers = list(pool.map(lambda batch: gateway.send(*batch), batches))
        assert {answer.status_code for answer in answers} == {503}
        assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
        told = {answer.json()["error"]["message"] for answer in answers}
        assert any("did not acknowledge" in message for message in told)
        assert any("too many events wait" in message for message in told)
        assert memory_of(pipeline.ingest.pid).now_mb - before.now_mb < GROWTH_MB_MAX
    for batch in batches:
        gateway.send_until(202, *batch)
    assert ids(pipeline, "out-") == {item["id"] for batch in batches for item in batch}
    assert metric(pipeline, "wattoken_ingest_in_flight_bytes") == 0
    assert metric(pipeline, "wattoken_ingest_in_flight_events") == 0


@SCHEMA.parametrize()
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_it_answers_as_it_is_described(
    case: schemathesis.Case[Any], reader: tuple[str, str]
) -> None:
    """Whatever is sent, the answer is one of those that the description names.

    Not that all which fits a schema is taken: no schema says that sums add up.
    """
    address, key = reader
    case.call_and_validate(
        base_url=address,
        headers={"Authorization": f"Bearer {key}"},
        excluded_checks=[positive_data_acceptance],
    )


@pytest.fixture(scope="module")
def reader(pipeline: Pipeline, store: KeyStore) -> tuple[str, str]:
    """Address and a key that may do everything."""
    _, text = store.create(now(), "acme", "eu", scopes=("ingest", "read"), provider="p")
    gateway = Gateway(pipeline, text)
    gateway.send_until(202, event("described"))
    return gateway.address, text


@contextmanager
def paused(infrastructure: Infrastructure) -> Iterator[None]:
    """Stop the broker in its tracks; its connections stay open and nothing answers."""
    infrastructure.broker.kill(signal.SIGSTOP)
    try:
        yield
    finally:
        infrastructure.broker.kill(signal.SIGCONT)


def ids(pipeline: Pipeline, prefix: str) -> set[str]:
    """The ids with this prefix on the topic, read from its start to its end."""
    topic = pipeline.env["WATTOKEN_KAFKA_TOPIC"]
    consumer = Consumer(
        {
            "bootstrap.servers": pipeline.env["WATTOKEN_KAFKA_BOOTSTRAP_SERVERS"],
            "group.id": "not-used",
            "enable.auto.commit": False,
        }
    )
    found: set[str] = set()
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        left = 0
        for partition in partitions:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition))
            left += high - low
        consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
        while left > 0:
            messages = consumer.consume(min(left, 5000), timeout=10)
            assert messages, "the broker gave no more records"
            for message in messages:
                if message.error():
                    raise KafkaException(message.error())
                found.add(wire.decode(message.value()).id)
            left -= len(messages)
    finally:
        consumer.close()
    return {name for name in found if name.startswith(prefix)}


def test_the_description_is_served_as_json_and_as_a_page(pipeline: Pipeline) -> None:
    served = httpx.get(f"{pipeline.addresses['ingest']}/openapi.json")
    assert served.json() == json.loads(json.dumps(document(version("wattoken"))))
    shown = httpx.get(f"{pipeline.addresses['ingest']}/docs")
    assert shown.headers["content-type"].startswith("text/html")
    assert "/v1/whoami" in shown.text
