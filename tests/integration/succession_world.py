"""A fleet whose every event is known, and the questions that tests of successions share."""

from __future__ import annotations

import itertools
import os
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from schemas.identity import identity_hash
from schemas.wire import WireEvent, encode
from services.local_stack.pipeline import Pipeline
from services.local_stack.ports import pick_port
from services.local_stack.processes import Child
from services.local_stack.services import service_plan, wattoken_command
from services.operate.succession import steps
from services.operate.succession.case import Wanted
from services.platform.errors import WattokenError
from services.platform.kafka_log import Log
from services.platform.kafka_questions import KafkaQuestions
from services.platform.settings import ClickHouseSettings, KafkaSettings
from tests.integration.faults import select
from tests.waiting import eventually

EVENTS_IN_REQUEST = 100
EVENTS_DRIVEN = 20
#: The event of number n has so many input tokens: a sum tells which are missing or doubled.
FIRST_TOKENS = 1_000


@dataclass(frozen=True, slots=True)
class Sent:
    """Events by number, each answered with 202."""

    numbers: Sequence[int]

    @property
    def totals(self) -> tuple[int, int]:
        """Requests and input tokens that they come to."""
        return len(self.numbers), sum(FIRST_TOKENS + number for number in self.numbers)


class Fleet:
    """Sends events of its own over HTTP, to each ingest in turn, until each is acknowledged.

    What got no 202 is sent again, so at the end all that was ever sent is acknowledged.
    """

    def __init__(self, pipeline: Pipeline, urls: Sequence[str]) -> None:
        self._key = pipeline.credentials[0].key
        self.urls = list(urls)
        self._numbers = itertools.count()
        self._acknowledged: list[int] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self.answers: dict[int, int] = {}
        self._time = datetime.now(UTC).isoformat()

    @property
    def sent(self) -> Sent:
        """What is acknowledged by now."""
        with self._lock:
            return Sent(list(self._acknowledged))

    def event(self, number: int) -> dict[str, Any]:
        """The event of a number, the same whenever it is asked for."""
        return {
            **{"id": f"event-{number}", "source": "gateway", "time": self._time},
            **{"provider": "openai", "model": f"model-{number % 50}"},
            **{"input_tokens": FIRST_TOKENS + number, "output_tokens": 1},
        }

    def record(self, number: int) -> tuple[bytes, bytes]:
        """The same event as a record of a gateway that writes onto the topic itself."""
        fields = self.event(number)
        tenant = "acme"
        event = WireEvent(
            *(fields["id"], fields["source"], tenant, datetime.fromisoformat(self._time)),
            *("eu-central", fields["provider"], fields["model"]),
            *(fields["input_tokens"], fields["output_tokens"]),
        )
        return identity_hash(tenant, event.source, event.id), encode(event)

    def send(self, count: int) -> Sent:
        """Send so many new events."""
        numbers = [next(self._numbers) for _ in range(count)]
        self._deliver(numbers)
        return Sent(numbers)

    def send_again(self, sent: Sent) -> None:
        """Send events once more."""
        self._post_all(sent.numbers)

    @contextmanager
    def driving(self, threads: int = 2, pause_seconds: float = 0.05) -> Iterator[None]:
        """Send without end meanwhile; what is on its way at the end is delivered."""
        self._stopping.clear()

        def drive() -> None:
            while not self._stopping.is_set():
                self._deliver([next(self._numbers) for _ in range(EVENTS_DRIVEN)])
                time.sleep(pause_seconds)

        self._threads = [threading.Thread(target=drive, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            for thread in self._threads:
                thread.join(60)
        assert not any(thread.is_alive() for thread in self._threads)

    def _deliver(self, numbers: Sequence[int]) -> None:
        self._post_all(numbers)
        with self._lock:
            self._acknowledged += numbers

    def _post_all(self, numbers: Sequence[int]) -> None:
        headers = {"Authorization": f"Bearer {self._key}"}
        with httpx.Client(headers=headers, timeout=30, trust_env=False) as client:
            for start in range(0, len(numbers), EVENTS_IN_REQUEST):
                events = [self.event(at) for at in numbers[start : start + EVENTS_IN_REQUEST]]
                first = start // EVENTS_IN_REQUEST % len(self.urls)
                for url in itertools.islice(itertools.cycle(self.urls), first, None):
                    if self._post(client, url, events):
                        break
                    time.sleep(0.1)

    def _post(self, client: httpx.Client, url: str, events: list[dict[str, Any]]) -> bool:
        try:
            status = client.post(f"{url}/v1/events", json=events).status_code
        except httpx.TransportError:
            status = 0
        with self._lock:
            self.answers[status] = self.answers.get(status, 0) + 1
        return status == 202


def add_service(pipeline: Pipeline, service: str, name: str, **env: str) -> Child:
    """Launch one more of a service, with port and state folder of its own."""
    plan = service_plan(
        service,
        pick_port(None),
        {**pipeline.env, "WATTOKEN_AGGREGATOR_INSTANCE_ID": "", **env},
        pipeline.infrastructure.logs / f"{pipeline.name}-{name}.log",
        pipeline.infrastructure.data / "services" / pipeline.name / name,
    )
    return pipeline.supervisor.launch(replace(plan, name=name))


def succeed_options(topic: str, partitions: int, *options: str) -> list[str]:
    """Options of `wattoken succeed`, with little patience."""
    given = ["--topic", topic, "--partitions", str(partitions)]
    return [*given, "--hear-seconds", "1", "--timeout", "60", *options]


def start_succeed(
    pipeline: Pipeline, topic: str, partitions: int, *options: str
) -> subprocess.Popen[str]:
    """Start `wattoken succeed`; what it says is for `communicate`."""
    return subprocess.Popen(
        wattoken_command("succeed", *succeed_options(topic, partitions, *options)),
        env={**os.environ, **pipeline.env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run_succeed(pipeline: Pipeline, topic: str, partitions: int, *options: str) -> tuple[int, str]:
    """Run it to its end; exit code and what it said."""
    command = start_succeed(pipeline, topic, partitions, *options)
    said, _ = command.communicate(timeout=200)
    return command.returncode, said


def succeed(pipeline: Pipeline, topic: str, partitions: int, *options: str) -> str:
    """Run it to its end, which must be a good one."""
    code, said = run_succeed(pipeline, topic, partitions, *options)
    assert code == 0, said
    return said


def refusal(pipeline: Pipeline, topic: str, partitions: int) -> str:
    """Run it in this process, with no patience, and give the error that it must end with."""
    servers = pipeline.infrastructure.bootstrap_servers
    with pytest.raises(WattokenError) as refused:
        steps.succeed(
            KafkaSettings(kafka_bootstrap_servers=servers, kafka_topic=pipeline.topic),
            ClickHouseSettings(
                clickhouse_port=pipeline.infrastructure.ports.clickhouse_http,
                clickhouse_database=pipeline.database,
            ),
            Wanted(topic, partitions, pipeline.group, hear_seconds=0),
            2.0,
            lambda line: None,
        )
    return str(refused.value)


def questions(pipeline: Pipeline) -> KafkaQuestions:
    """Questions to the pipeline's broker."""
    servers = pipeline.infrastructure.bootstrap_servers
    return KafkaQuestions(KafkaSettings(kafka_bootstrap_servers=servers))


def log_of(pipeline: Pipeline, topic: str) -> Log:
    """Which log a topic is."""
    asked = questions(pipeline)
    try:
        return asked.describe(topic)
    finally:
        asked.close()


def ends_of(pipeline: Pipeline, topic: str) -> dict[int, int]:
    """Where each partition of a topic ends."""
    asked = questions(pipeline)
    try:
        log = asked.describe(topic)
        return asked.ends(topic, range(log.partitions))
    finally:
        asked.close()


def next_offsets(pipeline: Pipeline, topic: str) -> dict[int, int]:
    """How far each partition of a topic is metered."""
    log = log_of(pipeline, topic).name
    rows = select(
        pipeline, f"SELECT partition, next_offset FROM checkpoints FINAL WHERE log = '{log}'"
    )
    return {int(partition): int(offset) for partition, offset in rows}


def behind(pipeline: Pipeline, topic: str) -> dict[int, tuple[int, int]]:
    """Checkpoint and end of each partition of a topic that is not metered to its end."""
    ends, done = ends_of(pipeline, topic), next_offsets(pipeline, topic)
    return {at: (done.get(at, 0), end) for at, end in ends.items() if done.get(at, 0) < end}


def wait_until_metered(pipeline: Pipeline, topic: str) -> None:
    """Wait until a topic is metered to its end."""
    eventually(f"{topic} metered", lambda: not behind(pipeline, topic), 90)


def totals(pipeline: Pipeline) -> tuple[int, int]:
    """Requests and input tokens in the registers."""
    [(requests, tokens)] = select(
        pipeline, "SELECT sum(requests), sum(input_tokens) FROM registers"
    )
    return int(requests), int(tokens)


def counted(pipeline: Pipeline, column: str, logs: Iterable[str] = ()) -> int:
    """Sum of a count over the checkpoints, of some logs or of all."""
    names = ", ".join(f"'{name}'" for name in logs)
    where = f" WHERE log IN ({names})" if names else ""
    [(count,)] = select(pipeline, f"SELECT sum({column}) FROM checkpoints FINAL{where}")
    return int(count)


def assert_counted_once(pipeline: Pipeline, sent: Sent) -> None:
    """Hold that each of these events is in each family of totals once, and nothing else is."""
    assert totals(pipeline) == sent.totals
    for view in ("usage_minute", "usage_hour"):
        [(requests, tokens)] = select(
            pipeline, f"SELECT sum(requests), sum(input_tokens) FROM {view}"
        )
        assert (int(requests), int(tokens)) == sent.totals, view
    assert counted(pipeline, "received") == counted(
        pipeline, "accepted + duplicate + arraySum(mapValues(rejected))"
    )
