"""A shut gate lets nobody in, and keeps nobody out once it is open."""

from __future__ import annotations

import os
import select
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from services.serving.gate import Gate

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is a gate on Linux only")


@contextmanager
def listening() -> Iterator[tuple[socket.socket, socket.socket, Gate]]:
    """A listener, the server's own descriptor of it, and the gate."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(10)
        listener.setblocking(False)
        with socket.socket(fileno=os.dup(listener.fileno())) as server:
            server.setblocking(False)
            yield listener, server, Gate(server.fileno(), listener)


def connect(listener: socket.socket) -> socket.socket:
    return socket.create_connection(listener.getsockname(), timeout=10)


def test_nobody_gets_in_while_it_is_shut_and_all_do_afterwards() -> None:
    with listening() as (listener, server, gate):
        gate.shut()
        with connect(listener):
            with pytest.raises(BlockingIOError):
                server.accept()
            gate.open()
            server.accept()[0].close()
        with connect(listener):
            gate.shut()
            gate.shut()
            gate.retire()
            server.accept()[0].close()


def test_a_server_that_waits_is_told_of_those_who_came_meanwhile() -> None:
    with listening() as (listener, server, gate), select.epoll() as waiting:
        waiting.register(server, select.EPOLLIN | select.EPOLLET)
        gate.shut()
        with connect(listener):
            assert waiting.poll(10)
            with pytest.raises(BlockingIOError):
                server.accept()
            gate.open()
            assert waiting.poll(10)
            server.accept()[0].close()
            # The server takes its descriptor out itself; it must find it.
            gate.retire()
            waiting.unregister(server)


def test_a_descriptor_of_a_server_that_ended_is_left_alone() -> None:
    with listening() as (_, server, gate):
        before = os.fstat(server.fileno()).st_ino
        gate.forget()
        gate.shut()
        gate.open()
        assert os.fstat(server.fileno()).st_ino == before


def test_nobody_can_connect_to_what_stands_in() -> None:
    with listening() as (_, server, gate):
        gate.shut()
        deaf = socket.socket(fileno=os.dup(server.fileno()))
        with deaf, socket.socket() as one:
            one.settimeout(0.2)
            with pytest.raises(TimeoutError):
                one.connect(deaf.getsockname())
