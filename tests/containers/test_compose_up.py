"""`docker compose up`: from a gateway to Prometheus, through kills, and down and up again.

One file, in the order it happens, for there is one stack on ports that cannot be chosen. What can
be read off docker-compose.yml is in tests/contract/test_compose.py; here it is seen to hold.
"""

from __future__ import annotations

import json
import re
import time
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.containers import outside
from tests.containers.composition import Composition
from tests.containers.conftest import PLAIN, wait_for_ports
from tests.containers.events import event
from tests.containers.log_oracle import Log, Place, Series, Totals, read_log
from tests.contract import compose_file
from tests.contract.compose_file import services
from tests.usual_ports import usual_ports_are_ours
from tests.waiting import eventually

GATEWAY = "http://127.0.0.1:8080"
PROMETHEUS = "http://127.0.0.1:9090"
EXPORTER = "http://127.0.0.1:9700"
CLICKHOUSE = "http://127.0.0.1:8123"
GRAFANA = "http://127.0.0.1:3000"
KAFKA = "127.0.0.1:9092"

OUR_IMAGE = str(services()["ingest"]["image"])
IMAGE_BYTES_MAX = 365_000_000
#: Of python:3.11-slim-bookworm, unpacked, a little more than it is.
PYTHON_IMAGE_BYTES = 135_000_000

#: What `docker compose up` leaves running.
RUNNING = tuple(name for name in PLAIN if services()[name].get("restart") == "unless-stopped")
#: Kafka's exit code at a stop in order: its JVM always tells of the signal.
ENDED_BY_SIGTERM = 143
#: 127.0.0.1, as the kernel writes it.
LOOPBACK_IN_HEX = "0100007F"
DEMO_SECONDS = 60
#: Before the first kill.
QUIET_SECONDS = 15


def send(key: str, body: dict[str, object]) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.post(f"{GATEWAY}/v1/events", json=body, headers=headers, trust_env=False)


def prometheus(query: str, at: float | None = None) -> dict[tuple[str, ...], float]:
    """Values by region, provider and model."""
    params: dict[str, str | float] = {"query": query}
    if at is not None:
        params["time"] = at
    answer = httpx.get(f"{PROMETHEUS}/api/v1/query", params=params, trust_env=False)
    answer.raise_for_status()
    return {
        tuple(one["metric"].get(label, "") for label in ("region", "provider", "model")): float(
            one["value"][1]
        )
        for one in answer.json()["data"]["result"]
    }


@cache
def reading_password(stack: Composition) -> str:
    return stack.execute("exporter", "cat", "/secrets/exporter/clickhouse_password").strip()


def sql(stack: Composition, query: str) -> list[dict[str, Any]]:
    """Ask as the user who may read, with the password got as the head of the file says."""
    answer = httpx.post(
        f"{CLICKHOUSE}/?database=wattoken&output_format_json_quote_64bit_integers=0",
        content=f"{query} FORMAT JSON",
        auth=("wattoken_exporter", reading_password(stack)),
        trust_env=False,
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    rows = answer.json()["data"]
    assert isinstance(rows, list)
    return rows


def registers(stack: Composition) -> dict[Series, Totals]:
    rows = sql(
        stack,
        "SELECT region, provider, model, requests, input_tokens, output_tokens FROM registers",
    )
    return {
        (row["region"], row["provider"], row["model"]): (
            row["requests"],
            row["input_tokens"],
            row["output_tokens"],
        )
        for row in rows
    }


def is_exact(stack: Composition, log: Log) -> bool:
    """Whether the registers show what lies on the log, and nothing else."""
    letters = sql(stack, "SELECT partition, offset FROM dead_letters")
    dead: set[Place] = {(row["partition"], row["offset"]) for row in letters}
    return registers(stack) == log.registers(dead)


def has_other_process(stack: Composition, name: str, pid: int) -> bool:
    return stack.pid(name) not in (0, pid)


def make_key(stack: Composition, tenant: str, region: str) -> str:
    said = stack.compose(
        *["run", "--rm", "-T", "keys", "keys", "create"], f"--tenant={tenant}", f"--region={region}"
    )
    return said.split()[-1]


pytestmark = pytest.mark.nightly


@pytest.fixture(scope="module")
def acme_key(up: Composition) -> str:
    """The key made at the first start, printed as the head of the file says."""
    said = up.compose(
        *["run", "--rm", "-T", "--entrypoint=cat", "keys", "/secrets/gateway/acme.key"]
    )
    return said.split()[-1]


# ── the image ────────────────────────────────────────────────────────────────────────────────────


def test_the_image_is_small(composition: Composition, base: str) -> None:
    image = composition.engine.inspect("image", OUR_IMAGE)
    assert image["Size"] < IMAGE_BYTES_MAX
    # The base here is not the one that is pinned: what stands on it must fit on that one too.
    below = composition.engine.inspect("image", base)["Size"]
    assert image["Size"] - below < IMAGE_BYTES_MAX - PYTHON_IMAGE_BYTES
    print(f"image: {image['Size'] / 1e6:.0f} MB, of it below ours {below / 1e6:.0f} MB")


def test_the_image_says_what_it_is(composition: Composition, base: str) -> None:
    labels = composition.engine.inspect("image", OUR_IMAGE)["Labels"]
    prefix = "org.opencontainers.image."
    assert labels[f"{prefix}title"] == "Wattoken"
    assert labels[f"{prefix}version"] == OUR_IMAGE.partition(":")[2]
    assert labels[f"{prefix}revision"] == labels[f"{prefix}source"] == "unknown"
    assert labels[f"{prefix}created"] == "1970-01-01T00:00:00Z"
    assert labels[f"{prefix}url"] == "https://github.com/wattoken/wattoken"
    assert labels[f"{prefix}licenses"] == "Apache-2.0"
    assert labels[f"{prefix}base.name"] == base


def test_what_was_left_out_of_the_image_is_not_missed(composition: Composition) -> None:
    """Each library loads, each module imports, and nothing has to be compiled at a start."""
    probe = Path(__file__).with_name("probe_image.py").read_text()
    said = composition.engine.run(
        *["run", "--rm", "--read-only", "--cap-drop=all", "--network=none"],
        *["--entrypoint=python", OUR_IMAGE, "-c", probe],
    ).stdout
    found = json.loads(said)
    assert found["libraries"] > 50
    assert found["modules"] > 500
    for absent in ("with_symbols", "folders_of_tests", "without_bytecode"):
        assert found[absent] == []
    # Which says so itself, when it is asked for.
    assert found["missing"] == {
        "services.billing.fonts": "typst",
        "services.billing.statement_pdf": "typst",
        "services.billing.statement_parquet": "pyarrow",
        "services.billing.focus.parquet_file": "pyarrow",
    }


# ── up ───────────────────────────────────────────────────────────────────────────────────────────


def test_an_event_comes_from_the_gateway_to_prometheus(up: Composition, acme_key: str) -> None:
    answer = send(acme_key, event(1))
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1})
    series = ("eu-central", "openai", "gpt-5")
    eventually("metered", lambda: registers(up).get(series) == (1, 1200, 340))
    query = "sum by (region, provider, model) (wattoken_input_tokens_total)"
    eventually("scraped", lambda: prometheus(query) == {series: 1200.0}, 90)
    assert httpx.get(f"{GRAFANA}/api/health", trust_env=False).status_code == 200
    # Each target is first scraped at a moment of its own within the interval.
    eventually("all are up", lambda: prometheus("count(up == 1)") == {("", "", ""): 4.0}, 60)


def test_keys_are_made_as_the_head_of_the_file_says(up: Composition) -> None:
    assert send("wtk_0123456789abcdef_none", event(2)).status_code == 401
    key = make_key(up, "initech", "us-east")
    eventually("ingest knows the key", lambda: send(key, event(2)).status_code == 202, 30)
    series = ("us-east", "openai", "gpt-5")
    eventually("metered once", lambda: registers(up).get(series) == (1, 1200, 340))


# ── from outside ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", RUNNING)
def test_it_runs_as_its_user_and_has_no_rights(up: Composition, name: str) -> None:
    user = str(services()[name]["user"]).partition(":")[0]
    pids = outside.processes(up.pid(name))
    assert pids
    for status in map(outside.status, pids):
        uids = {int(uid) for uid in status["Uid"].split()}
        assert 0 not in uids
        assert not user.isdigit() or uids == {int(user)}
        assert status["NoNewPrivs"] == "1"
        for rights in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[rights], 16) == 0, f"{rights}: {status[rights]}"


@pytest.mark.parametrize("name", [name for name in RUNNING if services()[name].get("read_only")])
def test_its_root_cannot_be_written_to(up: Composition, name: str) -> None:
    service = services()[name]
    volumes = {target for _, target, read_only in compose_file.volumes(service) if not read_only}
    tmpfs = {mount.partition(":")[0] for mount in service.get("tmpfs", [])}
    assert outside.writable_places(up.pid(name)) - outside.ENGINES_OWN == volumes | tmpfs


def test_each_secret_is_only_where_it_is_meant_to_be(up: Composition) -> None:
    volumes = {
        source: up.volume(source)
        for source in compose_file.document()["volumes"]
        if source.startswith("secrets-")
    }
    made = [path for folder in volumes.values() for path in folder.iterdir()]
    assert len(made) >= 10
    words = {path.read_bytes().strip() for path in made if path.suffix != ".xml"} - {b""}
    for name in RUNNING:
        mounted = {
            f"{target}/{path.name}": path.read_bytes()
            for source, target, _ in compose_file.volumes(services()[name])
            if source in volumes
            for path in volumes[source].iterdir()
        }
        pid = up.pid(name)
        seen = outside.files_below(pid, "/secrets") | outside.files_below(pid, "/run/secrets")
        assert {path: file.read_bytes() for path, file in seen.items()} == mounted
        assert not set(mounted) & outside.writable_places(pid)
        said = b"".join(map(outside.words_of, outside.processes(pid)))
        assert not [word for word in words if word in said]


@pytest.mark.parametrize("name", RUNNING)
def test_its_ports_are_on_loopback_only(up: Composition, name: str) -> None:
    published = compose_file.published(services()[name])
    ports = up.engine.inspect("container", up.container(name))["NetworkSettings"]["Ports"]
    bound = {
        (one["HostIp"], int(one["HostPort"]), int(inner.removesuffix("/tcp")))
        for inner, outer in ports.items()
        for one in outer or []
    }
    assert bound == set(published)
    for _, port, _ in published:
        assert outside.listening_addresses(port) == {LOOPBACK_IN_HEX}


# ── in use ───────────────────────────────────────────────────────────────────────────────────────


def test_the_demo_is_metered_exactly_though_each_container_is_killed(
    up: Composition, acme_key: str
) -> None:
    up.up("simulator")
    began = time.monotonic()
    time.sleep(QUIET_SECONDS)
    before = sum(requests for requests, _, _ in registers(up).values())
    for name in RUNNING:
        restarts = up.restarts(name)
        was = up.kill(name)
        eventually(f"{name} back", partial(has_other_process, up, name, was), 30)
        # More often, where one that it needs was killed and it ended over that.
        assert up.restarts(name) > restarts
    for name in RUNNING:
        up.wait_healthy(name)
    eventually("taken again", lambda: send(acme_key, event(3)).status_code == 202)
    time.sleep(max(0.0, DEMO_SECONDS - (time.monotonic() - began)))
    assert up.stop("simulator") == {"simulator": 0}, up.logs("simulator")
    log = read_log(KAFKA)
    sent = re.search(r"([\d,]+) acknowledged", up.logs("simulator"))
    assert sent is not None, up.logs("simulator")
    # At least, for a gateway whose answer was cut off sends again what may be on the log.
    assert log.records >= int(sent[1].replace(",", "")) > before > 0
    eventually("exact", partial(is_exact, up, log))


# ── and again ────────────────────────────────────────────────────────────────────────────────────


def test_down_and_up_again_loses_nothing(up: Composition, acme_key: str) -> None:
    metered = registers(up)
    requests = {series: float(totals[0]) for series, totals in metered.items()}
    query = "sum by (region, provider, model) (wattoken_requests_total)"
    eventually("scraped", lambda: prometheus(query) == requests, 90)
    then = time.time()
    with usual_ports_are_ours():
        assert up.stop(*RUNNING) == dict.fromkeys(RUNNING, 0) | {"kafka": ENDED_BY_SIGTERM}
        assert (up.volume("kafka-data") / ".kafka_cleanshutdown").exists()
        up.down()
        assert up.engine.run("ps", "--all", "--quiet").stdout == ""
        wait_for_ports()
        up.up(*PLAIN)
    assert registers(up) == metered
    assert prometheus(query, at=then) == requests
    # Known still: the key, and the event that it sent before.
    eventually("taken again", lambda: send(acme_key, event(1)).status_code == 202)
    assert send(acme_key, event(4)).status_code == 202
    eventually("exact", partial(is_exact, up, read_log(KAFKA)))
    grown = sum(totals[0] for totals in registers(up).values())
    assert grown == sum(totals[0] for totals in metered.values()) + 1
