"""Ingest as a process on a real broker: every answer, and what lies on the topic afterwards."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import zstandard
from confluent_kafka import Consumer, KafkaException, TopicPartition

from schemas import wire
from schemas.identity import identity_hash
from schemas.wire import WireEvent
from services.local_stack.infrastructure import Infrastructure
from services.local_stack.pipeline import Pipeline
from services.local_stack.process_table import memory_of

DELIVERY_TIMEOUT_SECONDS = 3.0
EVENTS_MAX = 1_000
LOG_APPEND_TIME = 2
EVENT: dict[str, Any] = {
    "id": "set in the test",
    "source": "gateway-1",
    "time": "2026-03-15T12:00:00.25Z",
    "provider": "openai",
    "model": "gpt-5.6-luna",
    "input_tokens": 1020,
    "output_tokens": 129,
}


@dataclass(frozen=True, slots=True)
class OnTheLog:
    """A record as a consumer sees it."""

    key: bytes
    event: WireEvent
    timestamp_type: int
    timestamp_ms: int


@pytest.fixture(scope="module")
def pipeline(pipelines: Callable[..., Pipeline]) -> Pipeline:
    return pipelines(
        services=["ingest"],
        accounts=[("acme", "eu-central")],
        env={
            "WATTOKEN_INGEST_DELIVERY_TIMEOUT_SECONDS": str(DELIVERY_TIMEOUT_SECONDS),
            "WATTOKEN_INGEST_EVENTS_MAX": str(EVENTS_MAX),
            "WATTOKEN_INGEST_READ_TIMEOUT_SECONDS": "2",
            # The events here have the time of when they were written.
            "WATTOKEN_INGEST_EVENT_AGE_MAX_DAYS": "36500",
        },
    )


@pytest.fixture(scope="module")
def client(pipeline: Pipeline) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {pipeline.credentials[0].key}"}
    with httpx.Client(base_url=pipeline.addresses["ingest"], headers=headers, timeout=30) as client:
        yield client


def event(event_id: str, **fields: Any) -> dict[str, Any]:
    return EVENT | {"id": event_id} | fields


def post(
    client: httpx.Client, content: object, media: str = "application/json", **headers: str
) -> httpx.Response:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("/v1/events", content=body, headers={"content-type": media, **named})


def post_cloud_event(
    client: httpx.Client, content: object, media: str = "application/cloudevents+json"
) -> httpx.Response:
    return client.post("/api/v1/events", json=content, headers={"content-type": media})


def cloud_event(event_id: str, data: dict[str, Any], **fields: Any) -> dict[str, Any]:
    envelope = {"specversion": "1.0", "type": "litellm_tokens", "source": "litellm-proxy"}
    return {**envelope, "id": event_id, "subject": "user-1", "data": data, **fields}


def read_log(pipeline: Pipeline) -> list[OnTheLog]:
    """Read every record of the topic, from its start to its end as it is now."""
    servers = pipeline.infrastructure.bootstrap_servers
    consumer = Consumer(
        {"bootstrap.servers": servers, "group.id": "reader", "fetch.wait.max.ms": 50}
    )
    found: list[OnTheLog] = []
    try:
        starts, left = [], 0
        for partition in range(pipeline.partitions):
            place = TopicPartition(pipeline.topic, partition)
            first, end = first_and_end(consumer, place)
            starts.append(TopicPartition(pipeline.topic, partition, first))
            left += end - first
        consumer.assign(starts)
        # An idempotent producer without transactions leaves no gaps, so records can be counted.
        while left > 0:
            message = consumer.poll(10)
            assert message is not None and message.error() is None
            kind, at_ms = message.timestamp()
            found.append(OnTheLog(message.key(), wire.decode(message.value()), kind, at_ms))
            left -= 1
    finally:
        consumer.close()
    return found


def first_and_end(consumer: Consumer, place: TopicPartition) -> tuple[int, int]:
    """Ask again for a while: after a pause the broker has to find itself its own leader first."""
    deadline = time.monotonic() + 30
    while True:
        try:
            first, end = consumer.get_watermark_offsets(place, timeout=10)
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
        else:
            return first, end


def ids(pipeline: Pipeline, prefix: str) -> list[str]:
    """Ids on the log that begin with a test's own prefix, sorted."""
    return sorted(
        record.event.id for record in read_log(pipeline) if record.event.id.startswith(prefix)
    )


def test_it_is_alive_and_ready_and_shows_metrics(client: httpx.Client) -> None:
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 200
    assert "wattoken_ingest_requests_total" in client.get("/metrics").text


def test_what_is_accepted_lies_on_the_log(pipeline: Pipeline, client: httpx.Client) -> None:
    before_ms = time.time() * 1000 - 1000
    sent = [
        event(f"whole-{n}", input_tokens=n, time="2026-03-15T13:00:00+01:00") for n in range(50)
    ]
    answer = post(client, sent)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 50})
    records = [item for item in read_log(pipeline) if item.event.id.startswith("whole-")]
    assert len(records) == 50
    for record in records:
        expected = EVENT | {
            "id": record.event.id,
            "tenant": "acme",
            "region": "eu-central",
            "time": "2026-03-15T12:00:00Z",
            "input_tokens": int(record.event.id.removeprefix("whole-")),
        }
        assert json.loads(wire.encode(record.event)) == expected
        assert record.key == identity_hash("acme", "gateway-1", record.event.id)
        assert record.timestamp_type == LOG_APPEND_TIME
        assert before_ms < record.timestamp_ms < time.time() * 1000 + 1000


def test_a_malformed_event_costs_no_other(pipeline: Pipeline, client: httpx.Client) -> None:
    sent = [event(f"batch-{n}") for n in range(10)]
    sent[3] = event("batch-3", input_tokens=-1)
    del sent[7]["output_tokens"]
    answer = post(client, sent)
    assert answer.status_code == 207
    assert answer.json()["accepted"] == 8
    rejected = answer.json()["rejected"]
    assert [(item["index"], item["code"]) for item in rejected] == [
        (3, "out_of_range"),
        (7, "missing_field"),
    ]
    assert "input_tokens" in rejected[0]["message"]
    assert "output_tokens" in rejected[1]["message"]
    assert ids(pipeline, "batch-") == [f"batch-{n}" for n in range(10) if n not in (3, 7)]


def test_a_broken_line_of_ndjson_only_loses_itself(
    pipeline: Pipeline, client: httpx.Client
) -> None:
    lines = [json.dumps(event("line-0")), '{"id": "line-1', json.dumps(event("line-2")), ""]
    answer = post(client, "\n".join(lines).encode(), "application/x-ndjson")
    assert answer.status_code == 207
    assert [(item["index"], item["code"]) for item in answer.json()["rejected"]] == [
        (1, "invalid_json")
    ]
    assert ids(pipeline, "line-") == ["line-0", "line-2"]


def test_one_too_large_event_costs_no_other(pipeline: Pipeline, client: httpx.Client) -> None:
    answer = post(client, [event("size-0"), event("size-1", reason="x" * 1_100_000)])
    assert answer.status_code == 207
    assert [item["code"] for item in answer.json()["rejected"]] == ["event_too_large"]
    assert ids(pipeline, "size-") == ["size-0"]


@pytest.mark.parametrize("content", [b"", b"{", b"[{}", b"x", b"\xff"])
def test_a_body_that_is_no_json_is_400(client: httpx.Client, content: bytes) -> None:
    answer = post(client, content)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "malformed_body"


def test_all_rejected_is_400(client: httpx.Client) -> None:
    answer = post(client, [{}, 1])
    assert answer.status_code == 400
    assert answer.json()["accepted"] == 0
    assert [item["index"] for item in answer.json()["rejected"]] == [0, 1]


def test_a_foreign_tenant_is_rejected_and_the_own_one_taken(
    pipeline: Pipeline, client: httpx.Client
) -> None:
    sent = [event("tenant-own", tenant="acme"), event("tenant-foreign", tenant="globex")]
    answer = post(client, sent)
    assert answer.status_code == 207
    assert [item["code"] for item in answer.json()["rejected"]] == ["tenant_not_allowed"]
    assert ids(pipeline, "tenant-") == ["tenant-own"]


@pytest.mark.parametrize("path", ["/v1/events", "/api/v1/events"])
@pytest.mark.parametrize("key", [None, "Bearer wtk_0000_x", "Basic abc", "Bearer"])
def test_no_known_key_is_401(
    pipeline: Pipeline, client: httpx.Client, path: str, key: str | None
) -> None:
    headers = {} if key is None else {"Authorization": key}
    answer = httpx.post(pipeline.addresses["ingest"] + path, json=event("key-1"), headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert ids(pipeline, "key-") == []


def test_unknown_types_and_encodings_are_415(client: httpx.Client) -> None:
    assert post(client, event("type-1"), "text/plain").status_code == 415
    answer = post(client, event("type-2"), content_encoding="br")
    assert answer.status_code == 415
    assert answer.headers["accept-encoding"] == "gzip, zstd"


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_compressed_bodies_are_read(
    pipeline: Pipeline, client: httpx.Client, encoding: str
) -> None:
    plain = json.dumps([event(f"{encoding}-1"), event(f"{encoding}-2")]).encode()
    packed = gzip.compress(plain) if encoding == "gzip" else zstandard.compress(plain)
    assert post(client, packed, content_encoding=encoding).status_code == 202
    assert ids(pipeline, f"{encoding}-") == [f"{encoding}-1", f"{encoding}-2"]
    assert post(client, packed[:-6], content_encoding=encoding).status_code == 400


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_bomb_is_413_and_takes_little_memory(
    pipeline: Pipeline, client: httpx.Client, encoding: str
) -> None:
    zeros = bytes(512 * 1024 * 1024)
    bomb = gzip.compress(zeros, 1) if encoding == "gzip" else zstandard.compress(zeros)
    del zeros
    before = memory_of(pipeline.ingest.pid)
    answer = post(client, bomb, content_encoding=encoding)
    assert answer.status_code == 413
    assert memory_of(pipeline.ingest.pid).peak_mb - before.peak_mb < 100


def test_too_many_bytes_or_events_are_413(pipeline: Pipeline, client: httpx.Client) -> None:
    assert post(client, b" " * (8 * 1024 * 1024 + 1)).status_code == 413
    assert post(client, [event(f"many-{n}") for n in range(EVENTS_MAX + 1)]).status_code == 413

    def chunks() -> Iterator[bytes]:
        for _ in range(129):
            yield b" " * 65_536

    answer = client.post(
        "/v1/events", content=chunks(), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 413
    assert ids(pipeline, "many-") == []


def test_a_body_that_comes_too_slowly_is_408(pipeline: Pipeline) -> None:
    key = pipeline.credentials[0].key
    head = (
        "POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {key}\r\nContent-Length: 100\r\n\r\n{{"
    )
    with socket.create_connection(("127.0.0.1", pipeline.ports["ingest"]), timeout=20) as slow:
        slow.sendall(head.encode())
        assert slow.recv(64).startswith(b"HTTP/1.1 408")


def test_openmeter_takes_all_and_answers_204(pipeline: Pipeline, client: httpx.Client) -> None:
    litellm = {"model": "openai/gpt-4o", "cost": 0.001, "prompt_tokens": 10}
    litellm |= {"completion_tokens": 20, "total_tokens": 30}
    answer = post_cloud_event(client, cloud_event("om-1", litellm, time="2026-03-15T12:00:00Z"))
    assert (answer.status_code, answer.content) == (204, b"")
    sample = {"tokens": "123456", "model": "gpt-4-turbo", "type": "input"}
    batch = [cloud_event("om-2", sample), cloud_event("om-3", {**sample, "type": "output"})]
    answer = post_cloud_event(client, batch, "application/cloudevents-batch+json")
    assert answer.status_code == 204
    found = {
        record.event.id: record.event
        for record in read_log(pipeline)
        if record.event.id.startswith("om-")
    }
    assert sorted(found) == ["om-1", "om-2", "om-3"]
    assert (found["om-1"].provider, found["om-1"].model) == ("openai", "gpt-4o")
    assert (found["om-1"].input_tokens, found["om-1"].output_tokens) == (10, 20)
    assert (found["om-2"].input_tokens, found["om-2"].output_tokens) == (123_456, 0)
    assert (found["om-3"].input_tokens, found["om-3"].output_tokens) == (0, 123_456)
    assert found["om-2"].provider == "openai"
    assert {event.tenant for event in found.values()} == {"acme"}


def test_openmeter_takes_none_of_a_batch_with_a_fault(
    pipeline: Pipeline, client: httpx.Client
) -> None:
    good = {"model": "m", "prompt_tokens": 1, "completion_tokens": 1}
    batch = [
        cloud_event("all-0", good),
        cloud_event("all-1", {**good, "total_tokens": 3}),
        cloud_event("all-2", good),
        cloud_event("all-3", {"model": "m"}),
    ]
    answer = post_cloud_event(client, batch, "application/cloudevents-batch+json")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert "event 1: " in problem["detail"]
    assert "event 3: " in problem["detail"]
    assert [item["index"] for item in problem["extensions"]["validationErrors"]] == [1, 3]
    assert ids(pipeline, "all-") == []


def test_a_disabled_key_is_403(pipeline: Pipeline, tmp_path: Path) -> None:
    from services.ingest.keys.file import write_keys_file
    from services.ingest.keys.secret import new_key, new_pepper

    pepper = new_pepper()
    key, entry = new_key("acme", "eu", pepper)
    (tmp_path / "pepper").write_bytes(pepper)
    write_keys_file(tmp_path / "keys.yaml", [entry.model_copy(update={"disabled": True})])
    with another_ingest(pipeline, tmp_path) as address:
        answer = httpx.post(
            f"{address}/v1/events", json=event("off-1"), headers={"Authorization": f"Bearer {key}"}
        )
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "key_not_allowed"


@contextmanager
def another_ingest(pipeline: Pipeline, folder: Path) -> Iterator[str]:
    from services.local_stack.ports import give_back, pick_port
    from services.local_stack.services import service_plan
    from services.local_stack.supervisor import Supervisor

    port = pick_port(None)
    env = pipeline.env | {
        "WATTOKEN_INGEST_KEYS_FILE": str(folder / "keys.yaml"),
        "WATTOKEN_INGEST_PEPPER_FILE": str(folder / "pepper"),
    }
    try:
        with Supervisor() as supervisor:
            supervisor.start(service_plan("ingest", port, env, folder / "log", folder))
            yield f"http://127.0.0.1:{port}"
    finally:
        give_back(port)


def test_it_does_not_start_without_keys(pipeline: Pipeline) -> None:
    env = {**os.environ, **pipeline.env, "WATTOKEN_INGEST_KEYS_FILE": ""}
    from services.local_stack.services import wattoken_command

    done = subprocess.run(
        wattoken_command("ingest"), env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "WATTOKEN_INGEST_KEYS_FILE" in done.stderr
    assert "Traceback" not in done.stderr


@contextmanager
def paused(infrastructure: Infrastructure) -> Iterator[None]:
    """Stop the broker in its tracks; its connections stay open and nothing answers."""
    infrastructure.broker.kill(signal.SIGSTOP)
    try:
        yield
    finally:
        infrastructure.broker.kill(signal.SIGCONT)


def test_a_paused_broker_is_503_within_the_timeout(
    pipeline: Pipeline, infrastructure: Infrastructure, client: httpx.Client
) -> None:
    with paused(infrastructure):
        started = time.monotonic()
        answers = [
            post(client, event("pause-1")),
            post_cloud_event(
                client,
                cloud_event("pause-2", {"model": "m", "prompt_tokens": 1, "completion_tokens": 1}),
            ),
        ]
        took_seconds = time.monotonic() - started
        assert [answer.status_code for answer in answers] == [503, 503]
        assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
        assert took_seconds < 2 * (DELIVERY_TIMEOUT_SECONDS + 2.5)
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 503
    resend_until_accepted(client, [event("pause-1"), event("pause-3")])
    assert set(ids(pipeline, "pause-")) >= {"pause-1", "pause-3"}


def resend_until_accepted(client: httpx.Client, events: list[dict[str, Any]]) -> None:
    """Do as a gateway does: send the same again while the answer is 503."""
    deadline = time.monotonic() + 30
    while (answer := post(client, events)).status_code == 503 and time.monotonic() < deadline:
        time.sleep(0.5)
    assert answer.status_code == 202


def test_a_stop_finishes_what_has_begun(pipeline: Pipeline, client: httpx.Client) -> None:
    body = json.dumps(event("stop-1")).encode()
    head = (
        "POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {pipeline.credentials[0].key}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", pipeline.ports["ingest"]), timeout=20) as begun:
        begun.sendall(head.encode() + body[:10])
        time.sleep(0.3)
        pipeline.ingest.kill(signal.SIGTERM)
        time.sleep(0.5)
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", pipeline.ports["ingest"]), timeout=1)
        begun.sendall(body[10:])
        assert begun.recv(64).startswith(b"HTTP/1.1 202")
    assert pipeline.ingest.wait(20) == 0
    assert ids(pipeline, "stop-") == ["stop-1"]
    pipeline.ingest.restart()
    assert client.get("/readyz").status_code == 200
