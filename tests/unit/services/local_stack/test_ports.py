"""Ports give way when taken."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from services.local_stack.ports import LOOPBACK, SPARE_PORTS, give_back, is_free, pick_port


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as server:
        server.bind((LOOPBACK, 0))
        server.listen()
        yield server.getsockname()[1]


def test_the_usual_port_is_taken_when_free() -> None:
    port = pick_port()
    give_back(port)
    assert pick_port(port) == port
    give_back(port)


def test_a_taken_port_gives_way(taken_port: int) -> None:
    assert not is_free(taken_port)
    port = pick_port(taken_port)
    assert port != taken_port
    assert port in SPARE_PORTS
    give_back(port)


def test_a_port_that_was_handed_out_is_not_handed_out_again() -> None:
    port = pick_port()
    give_back(port)
    assert pick_port(port) == port
    assert is_free(port)
    assert pick_port(port) != port
