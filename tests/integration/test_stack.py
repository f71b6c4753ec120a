"""The local stack on its real components: data survive kill -9, and an event goes all the way."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from prometheus_client.parser import text_string_to_metric_families

from services.local_stack.errors import StackError
from services.local_stack.infrastructure import Infrastructure
from services.local_stack.pipeline import Pipeline
from services.local_stack.ports import LOOPBACK, is_free
from services.local_stack.services import wattoken_command
from services.platform.clickhouse import connect
from services.platform.settings import ClickHouseSettings
from tests.living import left_after, lives
from tests.waiting import eventually


def select(pipeline: Pipeline, query: str) -> list[tuple[Any, ...]]:
    settings = ClickHouseSettings(
        clickhouse_port=pipeline.infrastructure.ports.clickhouse_http,
        clickhouse_database=pipeline.database,
    )
    with closing(connect(settings)) as client:
        return [tuple(row) for row in client.query(query).result_rows]


def test_clickhouse_keeps_its_rows_over_kill_9(infrastructure: Infrastructure) -> None:
    def ask(query: str) -> str:
        answer = httpx.post(infrastructure.clickhouse_url, content=query, trust_env=False)
        assert answer.status_code == 200, answer.text
        return answer.text.strip()

    ask("CREATE TABLE default.kept (n UInt64) ENGINE = MergeTree ORDER BY n")
    ask("INSERT INTO default.kept SELECT number FROM numbers(1000)")
    first_pid = infrastructure.clickhouse.pid
    infrastructure.clickhouse.kill(signal.SIGKILL)
    infrastructure.clickhouse.restart()
    assert infrastructure.clickhouse.pid != first_pid
    assert ask("SELECT count(), sum(n) FROM default.kept") == "1000\t499500"


def test_kafka_keeps_topic_and_records_over_kill_9(infrastructure: Infrastructure) -> None:
    config: dict[str, Any] = {"bootstrap.servers": infrastructure.bootstrap_servers}
    admin = AdminClient(config)
    admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result(timeout=10)
    produce(config, "kept", count=100)
    infrastructure.broker.kill(signal.SIGKILL)
    infrastructure.broker.restart()
    consumer = Consumer({**config, "group.id": "kept", "enable.auto.commit": False})
    try:
        assert watermarks(consumer, TopicPartition("kept", 0), end=100) == (0, 100)
    finally:
        consumer.close()


def watermarks(consumer: Consumer, partition: TopicPartition, end: int) -> tuple[int, int]:
    """Ask for start and end until the end is as expected or time is up.

    A broker that is back takes a moment to lead its partitions again, and says so or says less.
    """
    deadline = time.monotonic() + 30
    while True:
        try:
            found: tuple[int, int] = consumer.get_watermark_offsets(partition, timeout=10)
        except KafkaException:
            if time.monotonic() > deadline:
                raise
        else:
            if found[1] == end or time.monotonic() > deadline:
                return found
        time.sleep(0.2)


def produce(config: dict[str, Any], topic: str, count: int) -> None:
    errors: list[object] = []
    producer = Producer({**config, "enable.idempotence": True})
    for number in range(count):
        producer.produce(topic, str(number), on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(20) == 0
    assert errors == [None] * count


def test_two_stacks_cannot_share_a_state_folder(infrastructure: Infrastructure) -> None:
    with pytest.raises(StackError, match="in use by another stack"):
        Infrastructure(infrastructure.state_dir, prometheus="none").__enter__()
    assert infrastructure.broker.alive


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")
def test_every_listener_is_on_loopback(pipeline: Pipeline) -> None:
    supervisors = (pipeline.infrastructure.supervisor, pipeline.supervisor)
    children = [child for supervisor in supervisors for child in supervisor.children.values()]
    listening = {child.name: listening_addresses(child.pid) for child in children}
    assert set(listening) - {"prometheus"} == {
        *("kafka", "clickhouse", "ingest", "aggregator", "exporter")
    }
    for name, addresses in listening.items():
        assert addresses, f"{name} listens nowhere"
        assert addresses <= {"127.0.0.1", "::ffff:127.0.0.1"}, f"{name} listens on {addresses}"


def listening_addresses(pid: int) -> set[str]:
    """Addresses that a process and its group listen on, as Linux's /proc tells."""
    inodes = set()
    for process in (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()):
        with suppress(OSError):  # it may end meanwhile
            if os.getpgid(process) == pid:
                inodes |= set(socket_inodes(process))
    addresses = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                addresses.add(plain_address(fields[1].partition(":")[0]))
    return addresses


def socket_inodes(process: int) -> Iterator[str]:
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        with suppress(OSError):  # it may be closed meanwhile, which says nothing of the others
            yield os.readlink(descriptor).removeprefix("socket:[").rstrip("]")


def plain_address(text: str) -> str:
    words = [bytes.fromhex(text[start : start + 8])[::-1] for start in range(0, len(text), 8)]
    dotted = ".".join(str(byte) for byte in words[-1])
    if len(words) == 1:
        return dotted
    if words[:2] == [b"\0" * 4] * 2 and words[2] == b"\0\0\xff\xff":
        return f"::ffff:{dotted}"
    return b"".join(words).hex()


@pytest.fixture(scope="module")
def region_metered(pipeline: Pipeline) -> str:
    """Send one event through ingest; return the region that its API key books it on."""
    credential = pipeline.credentials[0]
    answer = httpx.post(
        f"{pipeline.addresses['ingest']}/v1/events",
        json={
            "id": "stack-1",
            "source": "test-gateway",
            "time": datetime.now(UTC).isoformat(),
            "provider": "openai",
            "model": "gpt-5",
            "input_tokens": 1200,
            "output_tokens": 340,
        },
        headers={"Authorization": f"Bearer {credential.key}"},
        trust_env=False,
    )
    assert answer.status_code == 202, answer.text
    return credential.region


def test_an_event_sent_over_http_reaches_the_registers(
    pipeline: Pipeline, region_metered: str
) -> None:
    query = "SELECT region, provider, model, requests, input_tokens, output_tokens FROM registers"
    expected = [(region_metered, "openai", "gpt-5", 1, 1200, 340)]
    eventually("the registers row", lambda: select(pipeline, query) == expected)


def test_the_exporter_shows_the_registers(pipeline: Pipeline, region_metered: str) -> None:
    labels = {"region": region_metered, "provider": "openai", "model": "gpt-5"}

    def shown() -> bool:
        answer = httpx.get(f"{pipeline.addresses['exporter']}/metrics", trust_env=False)
        return any(
            (sample.name, sample.labels, sample.value)
            == ("wattoken_input_tokens_total", labels, 1200)
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        )

    eventually("the exporter's counter", shown)


def test_prometheus_answers_the_counters_values(
    pipeline: Pipeline, prometheus_url: str, region_metered: str
) -> None:
    labels = f'{{pipeline="{pipeline.name}",region="{region_metered}"}}'
    for name, expected in (("input", 1200), ("output", 340)):
        query = f"sum(wattoken_{name}_tokens_total{labels})"
        eventually(query, lambda: ask(prometheus_url, query) == expected)  # noqa: B023 - at once


def test_prometheus_scrapes_all_three_services(pipeline: Pipeline, prometheus_url: str) -> None:
    query = f'sum(up{{pipeline="{pipeline.name}"}})'
    eventually("three targets up", lambda: ask(prometheus_url, query) == 3)


def ask(prometheus_url: str, query: str) -> float | None:
    """The value of a PromQL query with one answer; None when it has none."""
    answer = httpx.get(f"{prometheus_url}/api/v1/query", params={"query": query}, trust_env=False)
    result = answer.json()["data"]["result"]
    return float(result[0]["value"][1]) if result else None


@pytest.mark.usefixtures("usual_ports")
def test_kill_9_of_wattoken_up_leaves_nothing_behind(tmp_path: Path) -> None:
    """The real thing with all its children, broker included, on ports that gave way."""
    command = [sys.executable, "-m", "services.cli", "up", "--broker=tansu"]
    pids: list[int] = []
    with subprocess.Popen(
        [*command, f"--state-dir={tmp_path}"], stdout=subprocess.PIPE, text=True
    ) as up:
        assert up.stdout is not None
        for line in up.stdout:
            if ": ready, pid " in line:
                pids.append(int(line.split(": ready, pid ")[1].split(",")[0]))
            if line.startswith("Ctrl-C"):
                break
        up.kill()
    assert len(pids) >= 5
    assert left_after(pids, 5) == []
    assert not any(lives(pid) for pid in pids)


@pytest.mark.usefixtures("usual_ports")
def test_commands_find_a_stack_that_had_to_take_other_ports(tmp_path: Path) -> None:
    """Something else has the usual ports, as a stack of another folder might."""
    taken = [port for port in (9092, 8123, 8080) if is_free(port)]
    with ExitStack() as held:
        for port in taken:
            held.enter_context(socket.create_server((LOOPBACK, port)))
        up = held.enter_context(
            subprocess.Popen(
                wattoken_command("up", "--broker=tansu"),
                stdout=subprocess.PIPE,
                cwd=tmp_path,
                env=anywhere(),
                text=True,
            )
        )
        held.callback(up.terminate)
        assert up.stdout is not None
        said: list[str] = []
        while not said or not said[-1].startswith("Ctrl-C"):
            said.append(up.stdout.readline())
            assert said[-1], "".join(said)
        assert "  source .wattoken/env\n" in said
        found = in_folder(tmp_path, "dead-letters", "list")
        assert (found.returncode, found.stdout) == (0, "no dead letters\n"), found.stderr
        assert found.stderr.startswith("wattoken: talks to the stack that runs here: Kafka ")
        elsewhere = in_folder(tmp_path, "dead-letters", "list", WATTOKEN_CLICKHOUSE_PORT="1")
        assert elsewhere.returncode == 1
        warning, failure = elsewhere.stderr.splitlines()
        assert "ClickHouse 127.0.0.1:1, database wattoken, not to the stack that" in warning
        assert "nothing listens at 127.0.0.1:1" in failure
        metered = subprocess.run(
            ["sh", "-c", f". .wattoken/env && {FIRST_EVENT}"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert metered.stdout == '{"accepted":1}', metered
        env_file = tmp_path / ".wattoken" / "env"
        assert env_file.stat().st_mode & 0o777 == 0o600
        up.terminate()
        up.wait(60)
        assert not env_file.is_symlink(), "a stack that has ended leads nobody"


#: As README.md, "Send the first event".
FIRST_EVENT = (
    'curl -s "$WATTOKEN_INGEST_URL/v1/events" -H "Authorization: Bearer $KEY"'
    ' -H \'Content-Type: application/json\' -d \'{"id": "req-1", "source": "my-gateway",'
    ' "time": "\'"$(date -u +%FT%TZ)"\'", "provider": "openai", "model": "gpt-5",'
    ' "input_tokens": 1200, "cache_read_input_tokens": 800, "output_tokens": 340}\''
)


def anywhere(**env: str) -> dict[str, str]:
    """An environment in which the code is found from any folder."""
    paths = os.pathsep.join(os.path.abspath(path) for path in sys.path if path)
    return {**os.environ, "PYTHONPATH": paths, **env}


def in_folder(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command of ours in a folder, to its end."""
    return subprocess.run(
        wattoken_command(*arguments),
        cwd=folder,
        env=anywhere(**env),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
