"""HTTPS at ingest as a process on a real broker: who gets in, and a certificate that changes."""

from __future__ import annotations

import json
import re
import resource
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from wattoken.client import Meter

from services.local_stack.pipeline import Pipeline
from services.serving.tls.pair import Pair, PairFiles, read_pair
from tests.certificates import Authority, replace, serial_of, write_pair
from tests.waiting import eventually

IDLE_SECONDS = 2
#: More than one address may hold.
MANY = 300
#: Descriptors that a flood of connections has to do with.
FILES = 800
AUTHORITY = Authority()
SWAPS = 3
FAILURES = "wattoken_ingest_tls_reload_failures_total"
EXPIRY = "wattoken_ingest_tls_certificate_expiry_timestamp_seconds"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def files(folder: Path) -> PairFiles:
    return write_pair(folder, AUTHORITY.pair())


@pytest.fixture(scope="module")
def pipeline(pipelines: Callable[..., Pipeline], files: PairFiles, folder: Path) -> Pipeline:
    return pipelines(
        services=["ingest"],
        accounts=[("acme", "eu-central")],
        env={
            "WATTOKEN_INGEST_TLS_CERTIFICATE_FILE": str(files.certificate),
            "WATTOKEN_INGEST_TLS_KEY_FILE": str(files.key),
            "WATTOKEN_INGEST_TLS_RELOAD_SECONDS": "0.1",
            "WATTOKEN_INGEST_IDLE_SECONDS": str(IDLE_SECONDS),
            "WATTOKEN_INGEST_EVENT_AGE_MAX_DAYS": "36500",
        },
        ingest_ca_file=AUTHORITY.ca_file(folder),
    )


@pytest.fixture(scope="module")
def client(pipeline: Pipeline) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {pipeline.credentials[0].key}"}
    with httpx.Client(
        base_url=pipeline.addresses["ingest"],
        headers=headers,
        timeout=30,
        trust_env=False,
        verify=AUTHORITY.client(),
    ) as client:
        yield client


def event(event_id: str) -> dict[str, Any]:
    base = {"id": event_id, "source": "gw", "time": "2026-03-15T12:00:00Z", "model": "m"}
    return {**base, "provider": "p", "input_tokens": 1, "output_tokens": 2}


def place(pipeline: Pipeline) -> tuple[str, int]:
    return "127.0.0.1", pipeline.ports["ingest"]


def handshake(
    pipeline: Pipeline, context: ssl.SSLContext | None = None, timeout_seconds: float = 10
) -> ssl.SSLSocket:
    plain = socket.create_connection(place(pipeline), timeout=timeout_seconds)
    return (context or AUTHORITY.client()).wrap_socket(plain, server_hostname="127.0.0.1")


def shown_serial(pipeline: Pipeline) -> int:
    """The serial number of the certificate that a new connection is shown; 0 where none is."""
    try:
        with handshake(pipeline, timeout_seconds=2) as one:
            shown = one.getpeercert()
    except TimeoutError:
        return 0
    assert shown is not None
    return int(str(shown["serialNumber"]), 16)


def log_of(pipeline: Pipeline) -> str:
    return (pipeline.infrastructure.logs / f"{pipeline.name}-ingest.log").read_text()


def metric(client: httpx.Client, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", client.get("/metrics").text, re.MULTILINE)
    assert found is not None, name
    return float(found[1])


def take(pipeline: Pipeline, files: PairFiles, pair: Pair) -> None:
    """Put a pair there, and wait until it is shown."""
    write_pair(files.certificate.parent, pair)
    eventually("the new certificate", lambda: shown_serial(pipeline) == serial_of(pair))


def test_events_are_taken_over_https(client: httpx.Client) -> None:
    assert str(client.base_url).startswith("https://")
    answer = client.post("/v1/events", json=[event("tls-1"), event("tls-2")])
    assert (answer.status_code, answer.json()) == (202, {"accepted": 2})
    assert answer.http_version == "HTTP/1.1"
    for path in ("/healthz", "/readyz", "/metrics"):
        assert client.get(path).status_code == 200


def test_our_client_and_our_simulator_send_over_it(
    pipeline: Pipeline, client: httpx.Client, folder: Path
) -> None:
    accepted = "wattoken_ingest_events_accepted_total"
    before = metric(client, accepted)
    url, key = pipeline.addresses["ingest"], pipeline.credentials[0].key
    ca_file = AUTHORITY.ca_file(folder)
    meter = Meter(url, key, provider="p", ca_file=ca_file)
    meter.record(model="m", input_tokens=1, output_tokens=2)
    assert meter.flush(30)
    meter.close()
    assert metric(client, accepted) == before + 1
    command = ("simulate", "--via", "http", "--url", url, "--key", key, "--tenant", "acme")
    fast = ("--fast", "--rate", "50", "--duration", "1")
    said = pipeline.run(*command, "--ca-file", str(ca_file), *fast)
    assert metric(client, accepted) > before + 1, said


def test_plain_http_is_refused(pipeline: Pipeline) -> None:
    with socket.create_connection(place(pipeline), timeout=10) as one:
        one.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
        # An alert of TLS, and the end; nothing of HTTP.
        assert not one.recv(65536).startswith(b"HTTP")


def test_whoever_does_not_know_the_authority_refuses(pipeline: Pipeline) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(pipeline, ssl.create_default_context())
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(pipeline, Authority().client())


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize(
    ("version", "taken"),
    [("TLSv1", False), ("TLSv1_1", False), ("TLSv1_2", True), ("TLSv1_3", True)],
)
def test_versions_of_tls(pipeline: Pipeline, version: str, taken: bool) -> None:
    context = AUTHORITY.client()
    # The oldest are refused by our side's library too, at its usual level of security.
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    context.set_alpn_protocols(["h2", "http/1.1"])
    if taken:
        with handshake(pipeline, context) as one:
            assert one.version() == version.replace("_", ".")
            assert one.selected_alpn_protocol() == "http/1.1"
        return
    # The other side says so, not ours.
    with pytest.raises(ssl.SSLError, match="(?i)alert"):
        handshake(pipeline, context)


def test_a_new_certificate_is_shown_and_no_request_is_lost(
    pipeline: Pipeline, client: httpx.Client, files: PairFiles
) -> None:
    answers: list[httpx.Response | httpx.HTTPError] = []
    over = threading.Event()

    def send() -> None:
        while not over.is_set():
            try:
                answers.append(client.post("/v1/events", json=event(f"swap-{len(answers)}")))
            except httpx.HTTPError as error:
                answers.append(error)

    def more_than(count: int) -> bool:
        return len(answers) > count

    sending = threading.Thread(target=send)
    sending.start()
    try:
        for _ in range(SWAPS):
            before = len(answers)
            take(pipeline, files, AUTHORITY.pair())
            eventually("requests", partial(more_than, before + 5))
    finally:
        over.set()
        sending.join()
    assert [one for one in answers if isinstance(one, Exception)] == []
    assert {one.status_code for one in answers if isinstance(one, httpx.Response)} == {202}
    assert any(
        one.headers.get("connection") == "close"
        for one in answers
        if isinstance(one, httpx.Response)
    )


def test_a_pair_that_does_not_fit_keeps_the_one_before(
    pipeline: Pipeline, client: httpx.Client, files: PairFiles
) -> None:
    good, fresh = read_pair(files), AUTHORITY.pair()
    expiry = metric(client, EXPIRY)
    assert expiry > time.time()
    before = metric(client, FAILURES)
    replace(files.certificate, fresh.certificate)
    eventually("the misfit is noticed", lambda: metric(client, FAILURES) == before + 1)
    assert shown_serial(pipeline) == serial_of(good)
    replace(files.key, fresh.key)
    eventually("the pair fits", lambda: shown_serial(pipeline) == serial_of(fresh))

    def told_of() -> list[dict[str, Any]]:
        lines = log_of(pipeline).splitlines()
        return [json.loads(line) for line in lines if "certificate" in line]

    # The log may be a moment behind what is shown.
    eventually("it is told", lambda: "serial" in told_of()[-1])
    told = told_of()
    levels = [line["level"] for line in told if "reason" in line]
    assert levels == ["warning"]
    assert int(told[-1]["serial"], 16) == serial_of(fresh)


def client_hello() -> bytes:
    """What a client says first."""
    said, heard = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = AUTHORITY.client().wrap_bio(heard, said, server_hostname="127.0.0.1")
    with pytest.raises(ssl.SSLWantReadError):
        asking.do_handshake()
    return said.read()


def test_handshakes_that_stop_keep_nobody_out(pipeline: Pipeline) -> None:
    hello = client_hello()
    with ExitStack() as opened:
        for sent in (b"", hello[: len(hello) // 2], hello):
            for _ in range(MANY):
                one = opened.enter_context(socket.create_connection(place(pipeline), timeout=30))
                one.sendall(sent)
            for _ in range(3):
                with handshake(pipeline) as fresh:
                    fresh.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
                    assert fresh.recv(65536).startswith(b"HTTP/1.1 200 ")
        # The last of them is closed as one that is idle, as all others are.
        while one.recv(65536):
            pass


def test_a_flood_of_handshakes_takes_no_descriptor_for_good(
    pipeline: Pipeline, client: httpx.Client, files: PairFiles
) -> None:
    """Without the gate a server that has no descriptor left never accepts, nor ends, again."""
    resource.prlimit(pipeline.ingest.pid, resource.RLIMIT_NOFILE, (FILES, FILES))
    with ExitStack() as opened:
        for _ in range(2 * FILES):
            one = opened.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(place(pipeline))
        eventually("the gate is shut", lambda: "too few descriptors" in log_of(pipeline))
        take(pipeline, files, AUTHORITY.pair())
        assert client.get("/healthz").status_code == 200
    assert "connections are accepted again" in log_of(pipeline)
