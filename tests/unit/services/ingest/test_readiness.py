"""The broker is asked at most once a second, however many look."""

from __future__ import annotations

import asyncio

import pytest

from services.ingest import readiness
from services.ingest.readiness import Readiness


def test_many_that_look_at_once_make_one_question() -> None:
    asked: list[bool] = []

    def probe() -> bool:
        asked.append(True)
        return True

    async def scenario() -> None:
        ready = Readiness(probe)
        assert await asyncio.gather(*(ready.ready() for _ in range(20))) == [True] * 20

    asyncio.run(scenario())
    assert len(asked) == 1


def test_a_stale_answer_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_FRESH_SECONDS", 0.0)
    answers = [True, False, True]

    async def scenario() -> None:
        ready = Readiness(lambda: answers.pop(0))
        assert [await ready.ready() for _ in range(3)] == [True, False, True]

    asyncio.run(scenario())
