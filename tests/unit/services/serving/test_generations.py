"""Certificates are swapped under load: every request is answered, and old servers go away."""

from __future__ import annotations

import asyncio
import http.client
import os
import ssl
import sys
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop

from services.local_stack.ports import give_back, pick_port
from services.platform.connections import ConnectionLimits, Warden
from services.serving import generations as module
from services.serving.generations import RETIRED_MAX, Generations
from services.serving.listeners import Listeners
from tests.certificates import Authority, serial_of

SWAPS = 20
SECONDS_BETWEEN = 0.1
AUTHORITY = Authority()
# A scene takes seconds. pytest's own limit does not end a uvloop loop that never rests.
SCENE_SECONDS_MAX = 120


async def app(_scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hi"})


class Clients:
    """Threads that ask without a pause; ``kept`` keep their connection, ``fresh`` open another."""

    def __init__(self, port: int, each: int) -> None:
        self.port = port
        self.answered: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.serials: set[int] = set()
        self._over = threading.Event()
        self._context = AUTHORITY.client()
        self._threads = [
            threading.Thread(target=self._run, args=(kind,))
            for kind in ("kept", "fresh")
            for _ in range(each)
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, kind: str) -> None:
        connection = self.connection()
        while not self._over.is_set():
            try:
                self.serials.add(ask(connection))
            except (OSError, http.client.HTTPException) as error:
                self.failed[f"{kind}: {error!r}"] += 1
                connection.close()
            else:
                self.answered[kind] += 1
            if kind == "fresh":
                connection.close()

    def connection(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, context=self._context, timeout=30
        )

    def end(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


def ask(connection: http.client.HTTPSConnection) -> int:
    """Ask once; return the serial number of the certificate that the connection was opened with."""
    if connection.sock is None:
        connection.connect()
    assert isinstance(connection.sock, ssl.SSLSocket)
    shown = connection.sock.getpeercert()
    assert shown is not None
    connection.request("POST", "/", b"x" * 100)
    assert connection.getresponse().read() == b"hi"
    return int(str(shown["serialNumber"]), 16)


def threads_of_servers() -> int:
    """Count the threads that Python did not start: those of servers (0 where that is not shown).

    Python's own are left out, since ``to_thread`` takes another whenever its pool is busy and
    keeps it.
    """
    if sys.platform != "linux":
        return 0
    own = {str(thread.native_id) for thread in threading.enumerate()}
    return len(set(os.listdir("/proc/self/task")) - own)


def run(scene: Callable[[Generations, int], Awaitable[None]], idle_seconds: float) -> None:
    """Serve ``app``, play a scene, and stop."""
    port = pick_port()

    async def play() -> None:
        warden = Warden(port, ConnectionLimits(1000, 1000, idle_seconds))
        served = warden.attend(app)
        servers = Generations(served, Listeners("127.0.0.1", port), 1000, idle_seconds)
        watching = asyncio.create_task(warden.watch())
        try:
            async with asyncio.timeout(SCENE_SECONDS_MAX):
                await scene(servers, port)
        finally:
            await servers.stop()
            watching.cancel()

    try:
        uvloop.run(play())
    finally:
        give_back(port)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux steers connections")
def test_no_request_fails_while_certificates_are_swapped() -> None:
    pairs = [AUTHORITY.pair() for _ in range(SWAPS + 1)]

    async def scene(servers: Generations, port: int) -> None:
        await servers.serve(pairs[0])
        clients = Clients(port, each=2)
        try:
            for pair in pairs[1:]:
                before = clients.answered.total()
                await servers.serve(pair)
                await asyncio.sleep(SECONDS_BETWEEN)
                # Each swap is under load, however slow the machine.
                while clients.answered.total() < before + 10 and not clients.failed:
                    await asyncio.sleep(0.01)
        finally:
            await asyncio.to_thread(clients.end)
        assert clients.failed == {}
        assert clients.serials == {serial_of(pair) for pair in pairs}
        assert {"kept", "fresh"} == set(clients.answered)

    run(scene, idle_seconds=60)


def test_a_retired_server_ends_its_connections_with_an_answer_and_then_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "HANDSHAKE_SECONDS", 0.5)
    monkeypatch.setattr(module, "_MARGIN_SECONDS", 1.0)
    first, second = AUTHORITY.pair(), AUTHORITY.pair()

    async def scene(servers: Generations, port: int) -> None:
        await servers.serve(first)
        clients = Clients(port, each=0)
        active, idle = clients.connection(), clients.connection()
        for connection in (active, idle):
            assert await asyncio.to_thread(ask, connection) == serial_of(first)
        threads = threads_of_servers()
        await servers.serve(second)
        # On a connection of before: answered, and told not to use it again.
        assert await asyncio.to_thread(ask, active) == serial_of(first)
        assert active.sock is None
        assert await asyncio.to_thread(ask, active) == serial_of(second)
        while servers.retired:
            await asyncio.sleep(0.05)
        assert idle.sock is not None
        assert await asyncio.to_thread(idle.sock.recv, 1) == b""
        assert await asyncio.to_thread(ask, clients.connection()) == serial_of(second)
        assert not servers.failed.is_set()
        while threads_of_servers() > threads:
            await asyncio.sleep(0.05)

    run(scene, idle_seconds=0.5)


def test_few_retired_servers_wait_for_their_connections() -> None:
    async def scene(servers: Generations, port: int) -> None:
        pairs = [AUTHORITY.pair() for _ in range(RETIRED_MAX + 2)]
        await servers.serve(pairs[0])
        idle = Clients(port, each=0).connection()
        await asyncio.to_thread(ask, idle)
        for pair in pairs[1:]:
            await servers.serve(pair)
        assert idle.sock is not None
        assert await asyncio.to_thread(idle.sock.recv, 1) == b""
        while servers.retired > RETIRED_MAX:
            await asyncio.sleep(0.05)
        assert servers.retired == RETIRED_MAX

    run(scene, idle_seconds=600)


def test_a_server_that_does_not_start_leaves_the_one_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = AUTHORITY.pair()

    async def scene(servers: Generations, port: int) -> None:
        await servers.serve(first)

        def no_descriptors(*_: Any) -> None:
            raise OSError("Too many open files")

        with monkeypatch.context() as patched:
            patched.setattr("services.serving.granian_server._require_descriptors", no_descriptors)
            with pytest.raises(OSError, match="Too many"):
                await servers.serve(AUTHORITY.pair())
        assert servers.retired == 0
        for _ in range(5):
            connection = Clients(port, each=0).connection()
            assert await asyncio.to_thread(ask, connection) == serial_of(first)
            connection.close()

    run(scene, idle_seconds=60)


def test_a_server_that_ends_by_itself_is_noticed() -> None:
    async def scene(servers: Generations, _port: int) -> None:
        await servers.serve(None)
        current = servers._current
        assert current is not None
        current.server.stop()
        await asyncio.wait_for(servers.failed.wait(), 60)

    run(scene, idle_seconds=60)
