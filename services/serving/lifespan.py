"""Drives the lifespan of an ASGI application, once, however many servers serve it."""

from __future__ import annotations

import asyncio
from typing import Any

from services.platform.log import get_logger

log = get_logger(__name__)


class Lifespan:
    """Starts an application, and ends it."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._told: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._said = asyncio.Event()
        self._failed = False
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Let the application start; raises what it raises."""
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.3"}, "state": {}}
        self._running = asyncio.ensure_future(self._app(scope, self._told.get, self._hear))
        await self._tell("lifespan.startup", self._running)
        if self._running.done():
            self._running.result()

    async def end(self) -> None:
        """Let it end; what it raises is logged, for there is nothing else left to do."""
        if self._running is None:
            return
        await self._tell("lifespan.shutdown", self._running)
        try:
            await self._running
        except Exception:
            log.exception("ingest did not end cleanly")

    async def _tell(self, event: str, running: asyncio.Task[None]) -> None:
        self._said.clear()
        self._told.put_nowait({"type": event})
        said = asyncio.create_task(self._said.wait())
        try:
            await asyncio.wait({running, said}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            said.cancel()
        if self._failed:
            await asyncio.wait({running})

    async def _hear(self, message: dict[str, Any]) -> None:
        # An application that failed raises right after; that says more than its message.
        self._failed = message["type"].endswith(".failed")
        self._said.set()
