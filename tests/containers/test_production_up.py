"""deploy/compose/production.yml: an event over TLS, through the proxy, until it is counted.

And nothing else: what of it can be reached, by whom, and how much it may take. In the order it
happens, for there is one stack. What can be read off the file is in
tests/contract/test_production.py.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from functools import cache

import httpx
import pytest

from services.local_stack.ports import LOOPBACK, give_back, pick_port
from tests.containers import outside
from tests.containers.composition import Composition, write_override
from tests.containers.engine import Engine, compose_program
from tests.containers.events import event
from tests.contract import compose_file
from tests.contract.compose_file import PRODUCTION, services
from tests.waiting import eventually

pytestmark = pytest.mark.nightly

PLAIN_SERVICES = tuple(
    name for name, service in services(PRODUCTION).items() if "profiles" not in service
)
RUNNING = tuple(
    name for name in PLAIN_SERVICES if services(PRODUCTION)[name].get("restart") != "no"
)
#: Who has a way out: the proxy's network, with those that it leads to.
FRONT = {name for name in RUNNING if "front" in services(PRODUCTION)[name]["networks"]}
SERIES = 'region="eu-central",provider="openai",model="gpt-5"'
#: Kafka's exit code at a stop in order: its JVM always tells of the signal. HAProxy likewise.
ENDED = {"kafka": 143}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    taken = pick_port()
    yield taken
    give_back(taken)


@pytest.fixture(scope="module")
def up(
    podman: Engine,
    base: str,
    others: dict[str, str],
    composition: Composition,
    port: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Composition]:
    """The file brought up; its image is the one that ``composition`` has built."""
    override = tmp_path_factory.mktemp("production") / "override.yml"
    write_override(override, base, others, PRODUCTION)
    variables = {"WATTOKEN_PUBLIC_NAME": LOOPBACK, "WATTOKEN_PUBLIC_PORT": f"{LOOPBACK}:{port}"}
    made = Composition(podman, compose_program(print), override, PRODUCTION, variables)
    made.up(*PLAIN_SERVICES)
    yield made
    made.down()


@cache
def trust(stack: Composition) -> ssl.SSLContext:
    """The authority, as a gateway is given it."""
    return ssl.create_default_context(cafile=str(stack.volume("secrets-gateway") / "ca.pem"))


@pytest.fixture(scope="module")
def key(up: Composition) -> str:
    return (up.volume("secrets-gateway") / "acme.key").read_text().strip()


def ask(stack: Composition, port: int, method: str, path: str, **options: object) -> httpx.Response:
    with httpx.Client(verify=trust(stack), trust_env=False, timeout=30) as client:
        return client.request(method, f"https://{LOOPBACK}:{port}{path}", **options)  # type: ignore[arg-type]


def send(stack: Composition, port: int, key: str, body: dict[str, object]) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}"}
    return ask(stack, port, "POST", "/v1/events", json=body, headers=headers)


#: Run in a container of ours, which has neither curl nor a shell tool for it.
READ = "import urllib.request as u; print(u.urlopen({url!r}).read().decode())"


def counted(stack: Composition) -> float:
    """Input tokens that the exporter shows."""
    program = READ.format(url="http://127.0.0.1:9700/metrics")
    text = stack.execute("exporter", "python", "-c", program)
    found = re.search(rf"^wattoken_input_tokens_total{{{SERIES}}} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_an_event_comes_over_tls_through_the_proxy_and_is_counted(
    up: Composition, port: int, key: str
) -> None:
    answer = send(up, port, key, event(1))
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1})
    assert "max-age" in answer.headers["strict-transport-security"]
    eventually("counted", lambda: counted(up) == 1200.0, 90)


def test_without_a_key_or_the_right_authority_there_is_nothing(up: Composition, port: int) -> None:
    assert send(up, port, "wtk_0123456789abcdef_none", event(2)).status_code == 401
    url = f"https://{LOOPBACK}:{port}/v1/events"
    with pytest.raises(httpx.ConnectError, match="(?i)certificate"):
        httpx.post(url, json=event(2), trust_env=False)
    with pytest.raises(httpx.HTTPError):
        httpx.post(f"http://{LOOPBACK}:{port}/v1/events", json=event(2), trust_env=False)


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/readyz", "/v1/eventsx", "/x"])
def test_what_is_not_for_gateways_is_not_found(up: Composition, port: int, path: str) -> None:
    assert ask(up, port, "GET", path).status_code == 404


def test_grafana_is_behind_the_proxy(up: Composition, port: int) -> None:
    assert ask(up, port, "GET", "/grafana/api/health").status_code == 200


@pytest.mark.parametrize("name", RUNNING)
def test_only_the_proxy_can_be_reached(up: Composition, port: int, name: str) -> None:
    ports = up.engine.inspect("container", up.container(name))["NetworkSettings"]["Ports"]
    bound = {(one["HostIp"], one["HostPort"]) for outer in ports.values() for one in outer or []}
    assert bound == ({(LOOPBACK, str(port))} if name == "proxy" else set())


@pytest.mark.parametrize("name", RUNNING)
def test_only_the_front_leads_out(up: Composition, name: str) -> None:
    assert outside.has_way_out(up.pid(name)) == (name in FRONT)


@pytest.mark.parametrize("name", RUNNING)
def test_it_has_the_limits_of_the_file_and_no_rights(up: Composition, name: str) -> None:
    service = services(PRODUCTION)[name]
    pids = outside.processes(up.pid(name))
    assert pids
    for pid in pids:
        status = outside.status(pid)
        assert 0 not in {int(uid) for uid in status["Uid"].split()}
        assert status["NoNewPrivs"] == "1"
        assert int(status["CapBnd"], 16) == int(status["CapEff"], 16) == 0
    limits = outside.limits(up.pid(name))
    assert limits == (compose_file.size_bytes(service["mem_limit"]), service["pids_limit"])


@pytest.mark.parametrize(
    "name", [name for name in RUNNING if services(PRODUCTION)[name].get("read_only")]
)
def test_its_root_cannot_be_written_to(up: Composition, name: str) -> None:
    service = services(PRODUCTION)[name]
    volumes = {target for _, target, read_only in compose_file.volumes(service) if not read_only}
    tmpfs = {mount.partition(":")[0] for mount in service.get("tmpfs", [])}
    assert outside.writable_places(up.pid(name)) - outside.ENGINES_OWN == volumes | tmpfs


def test_each_secret_is_only_where_it_is_meant_to_be(up: Composition) -> None:
    folders = {
        source: up.volume(source)
        for source in compose_file.document(PRODUCTION)["volumes"]
        if source.startswith("secrets-")
    }
    files = [path for folder in folders.values() for path in folder.iterdir()]
    # Whom to trust is no secret; the rest is, a word of it at least.
    secret = {
        path.read_bytes().strip()
        for path in files
        if path.suffix not in (".xml", ".pem", ".crt", ".properties")
    } - {b""}
    assert len(secret) >= 15
    for name in RUNNING:
        pid = up.pid(name)
        mounted = {
            f"{target}/{path.name}": path.read_bytes()
            for source, target, _ in compose_file.volumes(services(PRODUCTION)[name])
            if source in folders
            for path in folders[source].iterdir()
        }
        seen = outside.files_below(pid, "/secrets") | outside.files_below(pid, "/run/secrets")
        assert {path: file.read_bytes() for path, file in seen.items()} == mounted
        said = b"".join(map(outside.words_of, outside.processes(pid)))
        assert not [word for word in secret if word in said]
    keys = {str(path) for path in folders["secrets-ca"].iterdir()}
    assert {path.rpartition("/")[2] for path in keys} == {"ca.pem", "ca.key"}


#: As the exporter, which may see how far the topic is, and nothing more.
INTRUDE = """
from confluent_kafka import Producer
from services.platform.kafka import producer_config
from services.platform.settings import KafkaSettings, read_settings
told = []
config = producer_config(read_settings(KafkaSettings))
# Without: else it would be refused before it says for which topic.
producer = Producer({**config, "enable.idempotence": False, "log_level": 0})
producer.produce("usage.events.v1", b"{}", on_delivery=lambda error, _: told.append(error.name()))
producer.flush(30)
print(told)
"""


def test_kafka_lets_each_do_what_is_its_own(up: Composition) -> None:
    assert (
        up.execute("exporter", "python", "-c", INTRUDE).strip() == "['TOPIC_AUTHORIZATION_FAILED']"
    )


def made(stack: Composition) -> dict[str, bytes]:
    """What the first start made and no other start may make again."""
    return {
        f"{name}/{path.name}": path.read_bytes()
        for name in ("secrets-ca", "secrets-kafka-users", "secrets-proxy", "secrets-gateway")
        for path in stack.volume(name).iterdir()
    }


def test_down_and_up_again_it_is_the_same(up: Composition, port: int, key: str) -> None:
    before = made(up)
    codes = up.stop(*RUNNING)
    assert {name: code for name, code in codes.items() if code not in (0, ENDED.get(name))} == {}
    up.down()
    up.up(*PLAIN_SERVICES)
    assert made(up) == before
    assert send(up, port, key, event(1)).status_code == 202
    assert send(up, port, key, event(3)).status_code == 202
    # The first was counted before, and is not counted again.
    eventually("counted", lambda: counted(up) == 2400.0, 90)
