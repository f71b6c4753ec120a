"""An application is started once and ended once, and what it raises at its start is raised."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette

from services.serving import lifespan as module
from services.serving.lifespan import Lifespan


class Steps:
    """An application whose start or end may fail."""

    def __init__(self, fails_at: str = "") -> None:
        self.taken: list[str] = []
        self.fails_at = fails_at

        @asynccontextmanager
        async def run(_app: Starlette) -> AsyncIterator[None]:
            await self._step("start")
            yield
            await self._step("end")

        self.lifespan = Lifespan(Starlette(lifespan=run))

    async def _step(self, name: str) -> None:
        await asyncio.sleep(0.01)
        self.taken.append(name)
        if name == self.fails_at:
            raise LookupError(name)


def test_it_starts_and_ends_once() -> None:
    steps = Steps()

    async def run() -> None:
        await steps.lifespan.start()
        assert steps.taken == ["start"]
        await steps.lifespan.end()

    asyncio.run(run())
    assert steps.taken == ["start", "end"]


def test_what_is_raised_at_the_start_is_raised() -> None:
    with pytest.raises(LookupError, match="start"):
        asyncio.run(Steps("start").lifespan.start())


def test_what_is_raised_at_the_end_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(module.log, "exception", told.append)
    steps = Steps("end")

    async def run() -> None:
        await steps.lifespan.start()
        await steps.lifespan.end()

    asyncio.run(run())
    assert told == ["ingest did not end cleanly"]


def test_what_never_started_need_not_end() -> None:
    asyncio.run(Steps().lifespan.end())


def test_an_application_without_a_lifespan_is_none_of_ours() -> None:
    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        raise NotImplementedError(scope["type"])

    with pytest.raises(NotImplementedError, match="lifespan"):
        asyncio.run(Lifespan(app).start())
