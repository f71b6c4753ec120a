"""Serves an ASGI application over HTTP or HTTPS, in this process, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import uvloop

from services.platform.address import require_free
from services.platform.connections import ConnectionLimits, Warden, connections_possible
from services.platform.errors import UnavailableError
from services.platform.log import get_logger
from services.serving.generations import Generations
from services.serving.lifespan import Lifespan
from services.serving.listeners import Listeners
from services.serving.tls.reload import PairReload

log = get_logger(__name__)


def serve(
    app: Any,
    host: str,
    port: int,
    setting_prefix: str,
    stop_timeout_seconds: float,
    limits: ConnectionLimits,
    tls: PairReload | None = None,
) -> None:
    """Serve ``app`` until SIGTERM or SIGINT; over TLS, and nothing else, where ``tls`` is given.

    Then no connection is taken any more, requests that have begun are finished, and the
    application's lifespan ends; all of it within ``stop_timeout_seconds``. Raises
    `ConfigurationError` when the address, which the settings with ``setting_prefix`` name, cannot
    be listened on.
    """
    require_free(host, port, setting_prefix)
    uvloop.run(_serve(app, host, port, stop_timeout_seconds, limits, tls))


async def _serve(
    app: Any,
    host: str,
    port: int,
    stop_timeout_seconds: float,
    limits: ConnectionLimits,
    tls: PairReload | None,
) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    warden = Warden(port, limits)
    lifespan = Lifespan(app)
    # It counts connections, idle ones too, and accepts none beyond it.
    possible = connections_possible(limits.connections_max)
    servers = Generations(warden.attend(app), Listeners(host, port), possible, limits.idle_seconds)
    if tls is not None:
        # Without TLS each connection takes of the server's room before it is accepted.
        warden.gate = servers
    await lifespan.start()
    await servers.serve(None if tls is None else tls.current.pair)
    beside = [asyncio.create_task(warden.watch())]
    if tls is not None:
        beside.append(asyncio.create_task(tls.follow(servers.serve)))
    waiting = [asyncio.create_task(one.wait()) for one in (stopped, servers.failed)]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    if not stopped.is_set():
        raise UnavailableError("the HTTP server ended by itself: see the log")
    for task in beside:
        task.cancel()
    # A server that is being started is stopped with the others.
    await asyncio.gather(*beside, return_exceptions=True)
    try:
        async with asyncio.timeout(stop_timeout_seconds):
            await servers.stop()
            await lifespan.end()
    except TimeoutError:
        # Not an error of ours: a client that stalls in the middle of its body must not fail a stop.
        log.warning("stopped before all requests were finished", waited_s=stop_timeout_seconds)
