"""One granian server in this process, on a socket that was made for it."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from contextlib import ExitStack
from typing import Any, Final

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.server.embed import Server

from services.platform.connections import HEADER_READ_TIMEOUT_MS
from services.platform.errors import UnavailableError
from services.serving.gate import Gate
from services.serving.listeners import CONNECTIONS_QUEUED_MAX
from services.serving.tls.memory_file import memory_file
from services.serving.tls.pair import Pair

#: TLS 1.3 alone, which is granian's default, would shut out gateways on older libraries; 1.2 has no
#: suite left in rustls that is not forward secret and authenticated.
_TLS_LEAST: Final = SSLProtocols.tls12


_TURNS_TO_START: Final = 5
#: More than a server takes for itself.
_DESCRIPTORS: Final = 32


class _Server(Server):
    """Listens on a given socket, and has TLS from given paths."""

    def __init__(self, app: Any, fd: int, tls: tuple[str, str] | None, backpressure: int) -> None:
        self._listening_fd = fd
        self._tls = tls
        super().__init__(
            app,
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=HEADER_READ_TIMEOUT_MS),
            websockets=False,
            backlog=CONNECTIONS_QUEUED_MAX,
            backpressure=backpressure,
            log_enabled=False,
        )

    def build_ssl_context(self, *_: Any, **__: Any) -> None:
        """Give the paths as they are: resolving them, as the original does, has no use here."""
        context: Any = (self._tls is not None, *(self._tls or (None, None)), None)
        self.ssl_ctx = (*context, str(_TLS_LEAST), None, [], False)

    def _init_shared_socket(self) -> None:
        with_backlog = sys.platform.startswith(("linux", "freebsd"))
        more = (CONNECTIONS_QUEUED_MAX,) if with_backlog else ()
        self._shd: Any = SocketHolder(self._listening_fd, False, *more)  # type: ignore[call-arg]


class Granian:
    """A server that runs; ``ended`` is done once it has closed its connections and its socket."""

    def __init__(self, server: _Server, ended: asyncio.Task[None], gate: Gate | None) -> None:
        self._server = server
        self.ended = ended
        #: Without TLS the server counts what it accepts, and needs none.
        self.gate = gate
        if gate is not None:
            ended.add_done_callback(lambda _: gate.forget())

    def stop(self) -> None:
        """Take no connection any more, finish the requests that have begun, and end.

        Connections without a request, and those in their TLS handshake, are closed.
        """
        if self.gate is not None:
            self.gate.retire()
        self._server.stop()  # type: ignore[no-untyped-call]


async def start_granian(
    app: Any, listener: socket.socket, backpressure: int, pair: Pair | None
) -> Granian:
    """Serve ``app`` without its lifespan on a listening socket, over TLS where there is a pair.

    The server has a descriptor of its own; ``listener`` stays the caller's to close.
    ``backpressure`` is how many connections are open at a time. The pair must have been checked:
    granian ends the process on one that it cannot read. Raises `UnavailableError` if the server
    ends at once, and `OSError` where the process has no descriptors left.
    """
    with ExitStack() as files:
        paths = None
        if pair is not None:
            paths = (
                files.enter_context(memory_file(pair.certificate)).path,
                files.enter_context(memory_file(pair.key)).path,
            )
        _require_descriptors(listener)
        descriptor = os.dup(listener.fileno())
        try:
            gate = None if pair is None else Gate(descriptor, listener)
        except OSError:
            os.close(descriptor)
            raise
        server = _Server(app, descriptor, paths, backpressure)
        ended = asyncio.create_task(server.serve())
        # The server starts its worker in one turn of the loop, and the worker reads the files in
        # the next. Were it to take more turns, the trial of a pair would fail, not this process.
        for _ in range(_TURNS_TO_START):
            await asyncio.sleep(0)
    if not any(worker.is_alive() for worker in server.wrks):  # type: ignore[no-untyped-call]
        await asyncio.gather(ended, return_exceptions=True)
        raise UnavailableError("the HTTP server did not start: see the log")
    return Granian(server, ended, gate)


def _require_descriptors(listener: socket.socket) -> None:
    """Raise `OSError` now: granian ends the process where it gets no descriptor as it starts."""
    with ExitStack() as taken:
        for _ in range(_DESCRIPTORS):
            taken.callback(os.close, os.dup(listener.fileno()))
