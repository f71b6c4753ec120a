"""The health port answers though others hold connections to it open."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from services.local_stack.ports import give_back, pick_port
from services.platform.health import CONNECTIONS_MAX, PER_ADDRESS_MAX, HealthServer


@pytest.fixture
def port() -> Iterator[int]:
    picked = pick_port()
    server = HealthServer(
        "127.0.0.1", picked, CollectorRegistry(), live=lambda: None, ready=lambda: "not yet"
    )
    server.start()
    yield picked
    server.stop()
    give_back(picked)


def test_a_newcomer_gets_in_whoever_holds_connections_open(port: int) -> None:
    idle = []
    for number in range(300):
        one = socket.create_connection(("127.0.0.1", port))
        one.sendall(b"GET /healthz HTTP/1.1\r\nHo" if number % 2 else b"")
        idle.append(one)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
        assert answer.read() == b"ok\n"
    # The oldest were shut down for those that came after.
    idle[0].settimeout(10)
    assert idle[0].recv(1) == b""
    assert PER_ADDRESS_MAX < CONNECTIONS_MAX < len(idle)
    for one in idle:
        one.close()
