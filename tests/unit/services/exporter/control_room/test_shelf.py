"""Answers are shared and kept; what is too much is refused, not queued."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading

import pytest

from services.exporter.control_room import shelf
from services.exporter.control_room.shelf import Busy, Shelf
from services.exporter.sampler import Turns
from services.platform.errors import UnavailableError


class Source:
    """Answers with the question, and counts; waits for `open` first."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.read: list[int] = []
        self.at_once = self.most_at_once = 0

    def __call__(self, question: int) -> int:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.open.wait(10)
        self.read.append(question)
        self.at_once -= 1
        if question < 0:
            raise UnavailableError("away")
        return question


def shelf_of(source: Source, keep_seconds: float = 60.0) -> Shelf[int]:
    return Shelf("s", source, 10.0, Turns(), lambda _: keep_seconds)


def test_one_reading_for_all_who_ask_the_same() -> None:
    source = Source()

    async def run() -> None:
        subject = shelf_of(source)
        answers = await asyncio.gather(*(subject.answer(7) for _ in range(5)))
        assert len({id(answer) for answer in answers}) == 1
        assert json.loads(answers[0].body) == 7
        assert gzip.decompress(answers[0].packed) == answers[0].body
        assert await subject.answer(7) is answers[0]

    asyncio.run(run())
    assert source.read == [7]


def test_an_answer_grows_old() -> None:
    source = Source()

    async def run() -> None:
        subject = shelf_of(source, keep_seconds=0)
        await subject.answer(1)
        for _ in range(100):
            # Kept for five times as long as the reading took, which a busy machine may hold up.
            await asyncio.sleep(0.1)
            await subject.answer(1)
            if len(source.read) > 1:
                return

    asyncio.run(run())
    assert source.read == [1, 1]


def test_different_questions_are_read_in_turn_and_too_many_are_refused() -> None:
    source = Source()
    source.open.clear()

    async def run() -> None:
        subject = shelf_of(source)
        waiting = [
            asyncio.create_task(subject.answer(number)) for number in range(shelf.WAITING_MAX + 1)
        ]
        await asyncio.sleep(0)
        with pytest.raises(Busy) as busy:
            await subject.answer(99)
        assert busy.value.again_seconds >= 1
        source.open.set()
        await asyncio.gather(*waiting)
        assert json.loads((await subject.answer(99)).body) == 99

    asyncio.run(run())
    assert source.most_at_once == 1


def test_no_more_readings_in_a_minute_than_the_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "READINGS_PER_MINUTE", 3)
    source = Source()

    async def run() -> None:
        subject = shelf_of(source)
        for number in range(3):
            await subject.answer(number)
        with pytest.raises(Busy) as busy:
            await subject.answer(3)
        assert 1 <= busy.value.again_seconds <= 60
        await subject.answer(2)

    asyncio.run(run())


def test_the_shelf_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "ANSWERS_MAX", 2)
    source = Source()

    async def run() -> None:
        subject = shelf_of(source)
        for number in (1, 2, 1, 3, 1, 2):
            await subject.answer(number)

    asyncio.run(run())
    assert source.read == [1, 2, 3, 2], "2 was asked for longest ago when 3 came"


def test_a_failure_is_told_and_kept_for_a_moment() -> None:
    source = Source()

    async def run() -> None:
        subject = shelf_of(source)
        assert (await subject.answer(-1)).error == "away"
        assert (await subject.answer(-1)).error == "away"

    asyncio.run(run())
    assert source.read == [-1]
