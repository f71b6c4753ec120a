"""A TCP proxy on loopback between two parts of the meter, which can treat its connections badly.

All links live in one event loop in a thread of its own (`Network`); their methods may be called
from any thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from services.local_stack.ports import LOOPBACK

T = TypeVar("T")
READ_BYTES: Final = 16 * 1024
SLOW_BYTES_PER_SECOND: Final = 1024
SLOW_PIECE_BYTES: Final = 256
#: As much of a question is kept, to tell what it is.
ASKED_BYTES_MAX: Final = 4096
CALL_SECONDS_MAX: Final = 30.0
#: Closing a socket with this sends a reset instead of an orderly end.
LINGER_NOT: Final = struct.pack("ii", 1, 0)


class Treatment(Enum):
    """What a link does to its connections."""

    PASS = "pass"
    #: No connection is accepted, and those there are end with a reset.
    REFUSE = "refuse"
    #: Connections are accepted and reset at the first byte, old ones at once.
    RESET = "reset"
    #: Connections are accepted and nothing is ever answered.
    HALF_OPEN = "half_open"
    #: A kilobyte a second, each way.
    SLOW = "slow"
    #: Questions arrive; the answers to inserts (over HTTP), or all, are lost with the connection.
    ANSWER_LOST = "answer_lost"


@dataclass(slots=True)
class Trap:
    """Calls ``action`` once, when an insert into ``table`` is at ``stage``; the bytes wait for it.

    Stages: ``before`` it is passed on, ``middle`` with half of a piece passed on, ``after`` its
    answer came and is not passed on yet. A table of "" is any answer or question at all.
    """

    stage: str
    table: str
    action: Callable[[], object]

    def fits(self, stage: str, asked: bytes) -> bool:
        """Whether this is what it waits for."""
        if stage != self.stage:
            return False
        return not self.table or (is_insert(asked) and self.table.encode() in asked)


def is_insert(asked: bytes) -> bool:
    """Whether a request to ClickHouse, as it came over the wire, inserts."""
    return b"INSERT" in asked.upper()


class Connection:
    """One client's connection and its counterpart behind the link."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writers = [writer]
        #: The beginning of what the client asked since the last answer.
        self.asked = b""
        self.answered = False

    def reset(self) -> None:
        """End both sides at once with a reset."""
        for writer in self.writers:
            sock = writer.get_extra_info("socket")
            if sock is not None:
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
            writer.transport.abort()

    def heard(self, data: bytes) -> None:
        """Note what the client said."""
        if self.answered:
            self.asked, self.answered = b"", False
        if len(self.asked) < ASKED_BYTES_MAX:
            self.asked += data[: ASKED_BYTES_MAX - len(self.asked)]


class Link:
    """Listens on ``port`` and passes on to ``upstream_port``; made and used through `Network`."""

    def __init__(self, name: str, port: int, upstream_port: int, http: bool) -> None:
        self.name = name
        self.port = port
        self.treatment = Treatment.PASS
        self._upstream_port = upstream_port
        self._http = http
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._flowing = asyncio.Event()
        self._traps: list[Trap] = []

    async def listen(self) -> None:
        """Begin to accept."""
        self._flowing.set()
        self._server = await asyncio.start_server(
            self._accept, LOOPBACK, self.port, reuse_address=True
        )

    async def close(self) -> None:
        """Accept no more and end all connections."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._reset_all()

    async def treat(self, treatment: Treatment, *, resume: bool = True) -> None:
        """Treat connections so from now on.

        With ``resume`` those that a half-open link held go on, as after a cable was put back;
        else they are reset.
        """
        before, self.treatment = self.treatment, treatment
        if before is Treatment.HALF_OPEN and not resume:
            self._reset_all()
        if treatment is Treatment.HALF_OPEN:
            self._flowing.clear()
        else:
            self._flowing.set()
        if treatment in (Treatment.REFUSE, Treatment.RESET):
            self._reset_all()
        if treatment is Treatment.REFUSE:
            await self.close()
        elif self._server is None:
            await self.listen()

    async def set_trap(self, trap: Trap) -> None:
        """Set a trap; it goes off once."""
        self._traps.append(trap)

    async def take_trap(self, trap: Trap) -> bool:
        """Take a trap away; say whether it was still set."""
        if trap in self._traps:
            self._traps.remove(trap)
            return True
        return False

    def _reset_all(self) -> None:
        for connection in list(self._connections):
            connection.reset()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(writer)
        self._connections.add(connection)
        try:
            if self.treatment is Treatment.HALF_OPEN:
                # There was nobody to connect to; once there is, this one is of no use.
                await self._flowing.wait()
                return
            if self.treatment is Treatment.RESET:
                await reader.read(1)
                return
            upstream = await asyncio.open_connection(LOOPBACK, self._upstream_port)
            connection.writers.append(upstream[1])
            await self._exchange(connection, (reader, writer), upstream)
        except OSError:
            pass
        finally:
            connection.reset()
            self._connections.discard(connection)

    async def _exchange(
        self,
        connection: Connection,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        """Pass both ways until one side ends."""
        pumps = [
            asyncio.ensure_future(self._ask(connection, client[0], server[1])),
            asyncio.ensure_future(self._answer(connection, server[0], client[1])),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _ask(
        self, connection: Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(READ_BYTES):
            connection.heard(data)
            await self._spring("before", connection)
            trap = self._trap("middle", connection)
            if trap is not None:
                half = len(data) // 2
                await self._pass(data[:half], writer)
                await run_action(trap)
                data = data[half:]
            await self._pass(data, writer)

    async def _answer(
        self, connection: Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(READ_BYTES):
            if self.treatment is Treatment.ANSWER_LOST and (
                not self._http or is_insert(connection.asked)
            ):
                return
            await self._spring("after", connection)
            connection.answered = True
            await self._pass(data, writer)

    async def _pass(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        while data:
            await self._flowing.wait()
            piece = data
            if self.treatment is Treatment.SLOW:
                piece = data[:SLOW_PIECE_BYTES]
                await asyncio.sleep(len(piece) / SLOW_BYTES_PER_SECOND)
            writer.write(piece)
            await writer.drain()
            data = data[len(piece) :]

    def _trap(self, stage: str, connection: Connection) -> Trap | None:
        for trap in self._traps:
            if trap.fits(stage, connection.asked):
                self._traps.remove(trap)
                return trap
        return None

    async def _spring(self, stage: str, connection: Connection) -> None:
        trap = self._trap(stage, connection)
        if trap is not None:
            await run_action(trap)


async def run_action(trap: Trap) -> None:
    """Do what the trap is set for, beside the loop: other links go on."""
    await asyncio.get_running_loop().run_in_executor(None, trap.action)


class Network:
    """All links, and the thread that runs them; a context manager."""

    def __init__(self) -> None:
        self.links: dict[str, Link] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="network", daemon=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for link in self.links.values():
            self._do(link.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_SECONDS_MAX)

    def add(self, name: str, port: int, upstream_port: int, *, http: bool = False) -> Link:
        """Make a link that listens at once; ``http`` says that ClickHouse is behind it."""

        async def make() -> Link:
            link = Link(name, port, upstream_port, http)
            await link.listen()
            return link

        self.links[name] = self._do(make())
        return self.links[name]

    def treat(self, name: str, treatment: Treatment, *, resume: bool = True) -> None:
        """See `Link.treat`."""
        self._do(self.links[name].treat(treatment, resume=resume))

    def set_trap(self, name: str, trap: Trap) -> None:
        """See `Link.set_trap`."""
        self._do(self.links[name].set_trap(trap))

    def take_trap(self, name: str, trap: Trap) -> bool:
        """See `Link.take_trap`."""
        return self._do(self.links[name].take_trap(trap))

    def _do(self, work: Coroutine[Any, Any, T] | Awaitable[T]) -> T:
        async def run() -> T:
            return await work

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(CALL_SECONDS_MAX)
