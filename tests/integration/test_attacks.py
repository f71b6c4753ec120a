"""Attacks on the sockets of real processes: whoever behaves still gets in, and nothing is guessed.

Neither broker nor database is there: what is asked here is answered before either is.
"""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.ingest.keys.store import KeyStore
from services.local_stack.ports import give_back, pick_port

HOST = "127.0.0.1"
HALF = b"POST /v1/events HTTP/1.1\r\nHo"
#: More than the server's room for connections was, and more than an address may hold.
MANY = 1_100


@contextmanager
def running(command: str, port: int, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "services.cli", command],
        env={**os.environ, **env, "WATTOKEN_KAFKA_BOOTSTRAP_SERVERS": f"{HOST}:9"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            with suppress(OSError):
                if health(port)[0] == 200:
                    break
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait(30)
        give_back(port)


@pytest.fixture(scope="module")
def key_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def key(key_folder: Path) -> str:
    store = KeyStore(key_folder / "keys.yaml", key_folder / "pepper")
    return store.create(datetime.now(UTC), "acme", "eu", regions=("eu",))[1]


@pytest.fixture(scope="module")
def ingest(key: str, key_folder: Path) -> Iterator[int]:
    port = pick_port()
    env = {
        "WATTOKEN_INGEST_PORT": str(port),
        "WATTOKEN_INGEST_KEYS_FILE": str(key_folder / "keys.yaml"),
        "WATTOKEN_INGEST_PEPPER_FILE": str(key_folder / "pepper"),
        "WATTOKEN_INGEST_IDLE_SECONDS": "4",
    }
    with running("ingest", port, env):
        yield port


def health(port: int) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@contextmanager
def idle(port: int, count: int, sent: bytes) -> Iterator[list[socket.socket]]:
    opened = []
    try:
        for _ in range(count):
            one = socket.create_connection((HOST, port), timeout=10)
            opened.append(one)
            one.sendall(sent)
        yield opened
    finally:
        for one in opened:
            one.close()


def answer_to(port: int, sent: bytes) -> bytes:
    with socket.create_connection((HOST, port), timeout=10) as one:
        one.sendall(sent)
        return one.recv(65536)


@pytest.mark.parametrize("sent", [HALF, b"", b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"])
def test_idle_connections_keep_nobody_out_of_ingest(ingest: int, sent: bytes) -> None:
    with idle(ingest, MANY, sent):
        for _ in range(3):
            assert health(ingest)[0] == 200


def test_idle_connections_are_closed(ingest: int) -> None:
    with idle(ingest, 3, HALF) as opened:
        for one in opened:
            one.settimeout(15)
            assert one.recv(1) == b""


def test_idle_connections_keep_nobody_out_of_the_exporter(tmp_path: Path) -> None:
    port = pick_port()
    env = {"WATTOKEN_EXPORTER_PORT": str(port), "WATTOKEN_CLICKHOUSE_PORT": "9"}
    with running("exporter", port, env):
        for sent in (HALF, b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"):
            with idle(port, MANY, sent):
                assert health(port)[0] == 200


def head(*lines: bytes, end: bytes = b"\r\n") -> bytes:
    return end.join((b"POST /v1/events HTTP/1.1", b"Host: h", *lines, b"", b""))


@pytest.mark.parametrize(
    "lines",
    [
        (b"Authorization: Bearer a", b"Authorization: Bearer b", b"Content-Length: 2"),
        (b"Content-Length: 2", b"Content-Length: 3"),
        (b"Content-Length: 2, 2",),
        (b"Content-Length : 2",),
        (b"Content-Length: +2",),
        (b"Transfer-Encoding: gzip, chunked",),
        (b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: chunked, gzip",),
        (b"Host: other", b"Content-Length: 2"),
        (b"Content-Type: a", b"Content-Type: b", b"Content-Length: 2"),
        (b"X: a", b" folded", b"Content-Length: 2"),
    ],
)
def test_ambiguous_heads_are_refused(ingest: int, lines: tuple[bytes, ...], key: str) -> None:
    first = b"Authorization: Bearer " + key.encode()
    whole = lines if lines[0].startswith(b"Authorization") else (first, *lines)
    assert answer_to(ingest, head(*whole) + b"[]").startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("lines", "end"),
    [
        # The server below takes these before any of our code sees the head (SECURITY.md): two
        # lengths that agree, a length beside chunks, which it drops and closes, bare line feeds.
        ((b"Content-Length: 2", b"Content-Length: 2"), b"\r\n"),
        ((b"Content-Length: 5", b"Transfer-Encoding: chunked"), b"\r\n"),
        ((b"Content-Length: 2",), b"\n"),
    ],
)
def test_what_the_server_takes_before_we_see_it(
    ingest: int, lines: tuple[bytes, ...], end: bytes
) -> None:
    body = b"2\r\n[]\r\n0\r\n\r\n" if b"Transfer" in lines[-1] else b"[]"
    said = answer_to(ingest, head(*lines, end=end) + body)
    assert said.startswith(b"HTTP/1.1 401 ")
    assert (b"connection: close" in said) == (b"Transfer" in lines[-1])


def test_a_bomb_from_one_key_keeps_nobody_waiting_for_long(ingest: int, key: str) -> None:
    bodies: list[tuple[str, bytes]] = [
        ("application/x-ndjson", b'{"a":"' + b'\\"' * 4_000_000 + b"{" * 33),
        ("application/json", b"[" * 8_000_000),
    ]
    for media, body in bodies:
        connection = http.client.HTTPConnection(HOST, ingest, timeout=60)
        headers: dict[str, Any] = {"Authorization": f"Bearer {key}", "Content-Type": media}
        connection.request("POST", "/v1/events", body, headers)
        assert health(ingest)[0] == 200
        assert connection.getresponse().status in (400, 413)
        connection.close()
