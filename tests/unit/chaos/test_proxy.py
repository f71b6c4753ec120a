"""The proxy: each treatment does to a connection what its name says, and traps go off in time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from services.local_stack.ports import LOOPBACK, pick_port
from tests.chaos.proxy import Network, Trap, Treatment
from tests.waiting import eventually

INSERT = b"POST /?query=INSERT+INTO+slices_hour HTTP/1.1\r\n\r\nrows"
SELECT = b"POST /?query=SELECT+1 HTTP/1.1\r\n\r\n...."


class Server:
    """Answers each piece it gets with ``re:`` and the piece; remembers all it got."""

    def __init__(self) -> None:
        self.socket = socket.create_server((LOOPBACK, 0))
        self.port = self.socket.getsockname()[1]
        self.got: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65536):
                    self.got.append(data)
                    connection.sendall(b"re:" + data)
            except OSError:
                return


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.socket.close()


@pytest.fixture
def network(server: Server) -> Iterator[Network]:
    with Network() as made:
        made.add("link", pick_port(), server.port, http=True)
        yield made


@pytest.fixture
def connect(network: Network) -> Iterator[Callable[[], socket.socket]]:
    made: list[socket.socket] = []

    def one() -> socket.socket:
        made.append(socket.create_connection((LOOPBACK, network.links["link"].port), 5))
        return made[-1]

    yield one
    for each in made:
        each.close()


def ask(connection: socket.socket, data: bytes) -> bytes:
    connection.sendall(data)
    return connection.recv(65536)


def silent(connection: socket.socket, seconds: float = 0.3) -> bool:
    connection.settimeout(seconds)
    try:
        return connection.recv(1) == b"never"
    except TimeoutError:
        return True
    finally:
        connection.settimeout(5)


Connect = Callable[[], socket.socket]


def test_passes_both_ways(connect: Connect) -> None:
    connection = connect()
    assert ask(connection, b"one") == b"re:one"
    assert ask(connection, b"two") == b"re:two"


def test_refuses_and_comes_back_on_the_same_port(network: Network, connect: Connect) -> None:
    old = connect()
    assert ask(old, b"one") == b"re:one"
    network.treat("link", Treatment.REFUSE)
    with pytest.raises(ConnectionResetError):
        old.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connect()
    network.treat("link", Treatment.PASS)
    assert ask(connect(), b"two") == b"re:two"


def test_resets_old_and_new_connections(network: Network, connect: Connect) -> None:
    old = connect()
    assert ask(old, b"one") == b"re:one"
    network.treat("link", Treatment.RESET)
    with pytest.raises(ConnectionResetError):
        old.recv(1)
    new = connect()
    with pytest.raises(ConnectionResetError):
        ask(new, b"two")


@pytest.mark.parametrize("resume", [True, False])
def test_half_open_answers_nothing_until_it_heals(
    network: Network, connect: Connect, server: Server, resume: bool
) -> None:
    old = connect()
    assert ask(old, b"one") == b"re:one"
    network.treat("link", Treatment.HALF_OPEN)
    old.sendall(b"two")
    new = connect()
    new.sendall(b"three")
    assert silent(old) and silent(new)
    assert server.got == [b"one"]
    network.treat("link", Treatment.PASS, resume=resume)
    with pytest.raises(ConnectionResetError):
        new.recv(1)
    if resume:
        assert old.recv(65536) == b"re:two"
    else:
        with pytest.raises(ConnectionResetError):
            old.recv(1)


def test_slow_is_a_kilobyte_a_second(network: Network, connect: Connect) -> None:
    connection = connect()
    network.treat("link", Treatment.SLOW)
    started = time.monotonic()
    connection.sendall(b"x" * 512)
    got = b""
    while len(got) < 512:
        got += connection.recv(65536)
    # Half a second there at least, and the way back began with the first piece.
    assert time.monotonic() - started > 0.5


def test_the_answer_of_an_insert_is_lost_after_it_arrived(
    network: Network, connect: Connect, server: Server
) -> None:
    network.treat("link", Treatment.ANSWER_LOST)
    assert ask(connect(), SELECT) == b"re:" + SELECT
    connection = connect()
    with pytest.raises(ConnectionResetError):
        ask(connection, INSERT)
    assert server.got == [SELECT, INSERT]


def test_without_http_every_answer_is_lost(connect: Connect, server: Server) -> None:
    with Network() as network:
        link = network.add("kafka", pick_port(), server.port)
        network.treat("kafka", Treatment.ANSWER_LOST)
        with (
            socket.create_connection((LOOPBACK, link.port), 5) as connection,
            pytest.raises(ConnectionResetError),
        ):
            ask(connection, b"produce")
    assert server.got == [b"produce"]


@pytest.mark.parametrize(
    ("stage", "got"),
    [("before", b""), ("middle", INSERT[: len(INSERT) // 2]), ("after", INSERT)],
)
def test_a_trap_goes_off_once_at_its_stage(
    network: Network, connect: Connect, server: Server, stage: str, got: bytes
) -> None:
    seen: list[bytes] = []

    def action() -> None:
        if stage != "before":
            eventually("arrived", lambda: len(b"".join(server.got)) >= len(got), 5)
        time.sleep(0.1)
        seen.append(b"".join(server.got))

    trap = Trap(stage, "slices_hour", action)
    network.set_trap("link", trap)
    connection = connect()
    connection.sendall(INSERT)
    answer = b""
    while len(answer.replace(b"re:", b"")) < len(INSERT):
        answer += connection.recv(65536)
    assert seen == [got]
    assert ask(connection, INSERT) == b"re:" + INSERT
    assert seen == [got] and not network.take_trap("link", trap)


def test_a_trap_waits_for_its_table(network: Network, connect: Connect) -> None:
    trap = Trap("before", "checkpoints", lambda: pytest.fail("not this table"))
    network.set_trap("link", trap)
    connection = connect()
    assert ask(connection, SELECT.replace(b"1", b"checkpoints")).startswith(b"re:")
    assert ask(connection, INSERT) == b"re:" + INSERT
    assert network.take_trap("link", trap)


def test_a_server_that_is_gone_ends_the_connection(connect: Connect, server: Server) -> None:
    with Network() as network:
        dead = socket.create_server((LOOPBACK, 0))
        port = dead.getsockname()[1]
        dead.close()
        link = network.add("dead", pick_port(), port)
        # At the connect already, if it is quick.
        with (
            pytest.raises(ConnectionResetError),
            socket.create_connection((LOOPBACK, link.port), 5) as connection,
        ):
            ask(connection, b"hello")
