"""All new connections go to the newest socket, whichever others are there or go."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from services.serving import listeners as module
from services.serving.listeners import Listeners

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux steers connections")
CONNECTIONS = 40


@pytest.fixture
def group() -> Iterator[tuple[Listeners, list[socket.socket]]]:
    """Sockets on one port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with ExitStack() as opened:
        listeners = Listeners("127.0.0.1", port)
        sockets = [opened.enter_context(listeners.add()) for _ in range(4)]
        yield listeners, sockets


def shares(sockets: list[socket.socket]) -> list[int]:
    """Open connections, and say how many each socket got."""
    with ExitStack() as opened:
        for _ in range(CONNECTIONS):
            opened.enter_context(socket.create_connection(sockets[0].getsockname(), timeout=10))
        return [accepted(one) for one in sockets]


def accepted(one: socket.socket) -> int:
    one.setblocking(False)
    count = 0
    while True:
        try:
            one.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


def test_unsteered_they_are_spread(group: tuple[Listeners, list[socket.socket]]) -> None:
    _, sockets = group
    found = shares(sockets)
    assert sum(found) == CONNECTIONS
    assert max(found) < CONNECTIONS, "nothing is shown by the tests below"


@pytest.mark.parametrize("newest", range(4))
def test_steered_one_gets_all(group: tuple[Listeners, list[socket.socket]], newest: int) -> None:
    listeners, sockets = group
    listeners.steer(sockets[newest])
    assert shares(sockets)[newest] == CONNECTIONS


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (0, 2, 1), (2, 0, 1)])
def test_it_gets_all_while_others_go(
    group: tuple[Listeners, list[socket.socket]], order: tuple[int, ...]
) -> None:
    listeners, sockets = group
    listeners.steer(sockets[3])
    left = list(sockets)
    for gone in order:
        listeners.close(sockets[gone])
        left.remove(sockets[gone])
        assert shares(left)[-1] == CONNECTIONS
    # And what comes after takes over.
    with listeners.add() as newest:
        listeners.steer(newest)
        assert shares([sockets[3], newest]) == [0, CONNECTIONS]


def test_a_system_that_does_not_steer_is_said_to_be(
    group: tuple[Listeners, list[socket.socket]], monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(module.log, "warning", lambda message, **_: warned.append(message))
    listeners, sockets = group
    listeners.steer(sockets[1])
    assert warned == ["new connections are not steered to the new server"]
    assert sum(shares(sockets)) == CONNECTIONS


def test_an_address_that_is_taken_is_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError):
            Listeners(*taken.getsockname()).add()
