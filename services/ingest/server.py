"""Runs an ASGI application on granian, in this process, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any, Final

import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from services.platform.address import require_free
from services.platform.collection import spare_the_collector
from services.platform.connections import (
    HEADER_READ_TIMEOUT_MS,
    ConnectionLimits,
    Warden,
    make_room,
)
from services.platform.errors import UnavailableError
from services.platform.log import get_logger

log = get_logger(__name__)

_CONNECTIONS_QUEUED_MAX: Final = 1024
#: A request leaves next to no cycles behind, but a batch makes thousands of objects.
_GC_ALLOCATIONS: Final = 50_000
#: A large body is read in a thread; after so long the event loop gets its turn.
_TURN_SECONDS: Final = 0.001


def serve(
    app: Any, host: str, port: int, stop_timeout_seconds: float, limits: ConnectionLimits
) -> None:
    """Serve ``app`` until SIGTERM or SIGINT.

    Then no connection is taken any more, requests that have begun are finished, and the
    application's lifespan ends; all of it within ``stop_timeout_seconds``. Raises
    `ConfigurationError` when the address cannot be listened on.
    """
    require_free(host, port, "WATTOKEN_INGEST")
    spare_the_collector(_GC_ALLOCATIONS)
    sys.setswitchinterval(_TURN_SECONDS)
    uvloop.run(_serve(app, host, port, stop_timeout_seconds, limits))


async def _serve(
    app: Any, host: str, port: int, stop_timeout_seconds: float, limits: ConnectionLimits
) -> None:
    warden = Warden(port, limits)
    server = Server(
        warden.attend(app),
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_READ_TIMEOUT_MS),
        websockets=False,
        backlog=_CONNECTIONS_QUEUED_MAX,
        # It counts connections, idle ones too, and accepts none beyond it.
        backpressure=make_room(limits.connections_max),
        log_enabled=False,
    )
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    serving = asyncio.create_task(server.serve())
    watching = asyncio.create_task(warden.watch())
    stopping = asyncio.create_task(stopped.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not stopped.is_set():
        await serving
        raise UnavailableError("the HTTP server ended by itself: see the log")
    watching.cancel()
    server.stop()  # type: ignore[no-untyped-call]
    try:
        await asyncio.wait_for(serving, stop_timeout_seconds)
    except TimeoutError:
        # Not an error of ours: a client that stalls in the middle of its body must not fail a stop.
        log.warning("stopped before all requests were finished", waited_s=stop_timeout_seconds)
