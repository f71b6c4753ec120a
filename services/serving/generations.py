"""One server after another on one port, so that a certificate changes and no connection is cut.

The newest takes all new connections. On the others each answer closes its connection, and the rest
are closed when they have been idle for as long as any may be; then such a server has nothing left,
and ends.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.platform.log import get_logger
from services.serving.gate import Gate
from services.serving.granian_server import Granian, start_granian
from services.serving.listeners import Listeners
from services.serving.tls.pair import Pair

log = get_logger(__name__)

#: How long granian waits for a TLS handshake (its own, without a setting).
HANDSHAKE_SECONDS: Final = 10.0
#: For the look at idle connections, which is taken a few times a second.
_MARGIN_SECONDS: Final = 2.0
#: More wait for nothing: the oldest then ends at once, and closes what is idle on it.
RETIRED_MAX: Final = 3


class Retiring:
    """An application whose answers close their connections once it is retired."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.retired = False

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        """Serve one request."""
        if not self.retired:
            await self._app(scope, receive, send)
            return

        async def send_last(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), (b"connection", b"close")]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, send_last)


@dataclass(eq=False, slots=True)
class _Generation:
    app: Retiring
    listener: socket.socket
    server: Granian
    ending: asyncio.Task[None] | None = None


class Generations:
    """The servers of one application on one address.

    ``backpressure`` is how many connections each has open at a time, ``idle_seconds`` how long any
    stays open without a request.
    """

    def __init__(
        self, app: Any, listeners: Listeners, backpressure: int, idle_seconds: float
    ) -> None:
        self._app = app
        self._listeners = listeners
        self._backpressure = backpressure
        self._linger_seconds = HANDSHAKE_SECONDS + idle_seconds + _MARGIN_SECONDS
        self._current: _Generation | None = None
        self._retired: list[_Generation] = []
        #: Set when the server that takes new connections has ended by itself.
        self.failed = asyncio.Event()

    @property
    def retired(self) -> int:
        """How many servers wait for their connections to end."""
        return len(self._retired)

    def shut(self) -> None:
        """Accept nothing more for now: the process has too few descriptors left."""
        for gate in self._gates():
            gate.shut()

    def open(self) -> None:
        """Accept again."""
        for gate in self._gates():
            gate.open()

    def _gates(self) -> list[Gate]:
        return [one.server.gate for one in self._all() if one.server.gate is not None]

    def _all(self) -> list[_Generation]:
        return [*self._retired] if self._current is None else [*self._retired, self._current]

    async def serve(self, pair: Pair | None) -> None:
        """Serve new connections with this pair, or without TLS; retire the server before.

        Raises `UnavailableError` or `OSError` where no server can be started; the one before stays.
        """
        app = Retiring(self._app)
        # Without TLS none is ever retired, and a request need not ask.
        served = self._app if pair is None else app
        listener = self._listeners.add()
        try:
            server = await start_granian(served, listener, self._backpressure, pair)
        except BaseException:
            self._listeners.close(listener)
            raise
        self._listeners.steer(listener)
        before, self._current = self._current, _Generation(app, listener, server)
        server.ended.add_done_callback(self._notice)
        if before is not None:
            self._retire(before)

    def _notice(self, ended: asyncio.Task[None]) -> None:
        if self._current is not None and self._current.server.ended is ended:
            self.failed.set()

    def _retire(self, generation: _Generation) -> None:
        generation.app.retired = True
        self._retired.append(generation)
        generation.ending = asyncio.create_task(self._end(generation, self._linger_seconds))
        for oldest in self._retired[:-RETIRED_MAX]:
            oldest.server.stop()

    async def _end(self, generation: _Generation, linger_seconds: float) -> None:
        ended = generation.server.ended
        await asyncio.wait({ended}, timeout=linger_seconds)
        generation.server.stop()
        await asyncio.wait({ended})
        self._retired.remove(generation)
        self._listeners.close(generation.listener)

    async def stop(self) -> None:
        """Take no connection any more, and wait until the requests that have begun are finished."""
        generations = self._all()
        for one in generations:
            if one.ending is not None:
                one.ending.cancel()
            # Before the servers' own: a connection is refused then, and not left in a queue.
            if one.server.gate is not None:
                one.server.gate.retire()
            one.listener.close()
            one.server.stop()
        if generations:
            await asyncio.wait({one.server.ended for one in generations})
