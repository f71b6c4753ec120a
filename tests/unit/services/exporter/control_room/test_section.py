"""A group of figures is read when asked for, rests in proportion, and keeps what it had."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from services.exporter.control_room import section
from services.exporter.control_room.section import Group
from services.platform.errors import UnavailableError


def group(
    read: Callable[[], object], timeout_seconds: float = 2.0, keep_seconds: float = 0.05
) -> Group:
    return Group("g", read, timeout_seconds, lambda: 1_000.0, keep_seconds=keep_seconds)


async def renewed(subject: Group) -> None:
    task = subject.renew()
    if task is not None:
        await task


def test_it_is_read_again_only_when_it_is_due() -> None:
    reads: list[int] = []

    async def run() -> None:
        subject = group(lambda: reads.append(1), keep_seconds=1.0)
        await renewed(subject)
        assert subject.renew() is None
        assert reads == [1]
        await asyncio.sleep(1.1)
        await renewed(subject)
        assert reads == [1, 1]

    asyncio.run(run())


def test_what_takes_long_rests_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(section, "READING_SHARE_MAX", 0.1)

    async def run() -> None:
        subject = group(lambda: time.sleep(0.05))
        await renewed(subject)
        await asyncio.sleep(0.2)  # longer than it is kept, shorter than 10 x 0.05 s
        assert subject.renew() is None

    asyncio.run(run())


def test_one_read_at_a_time() -> None:
    async def run() -> None:
        subject = group(lambda: time.sleep(0.05))
        assert subject.renew() is subject.renew()
        await renewed(subject)

    asyncio.run(run())


def test_a_failure_keeps_the_figures_and_the_time_of_the_first_failure() -> None:
    answers: list[object] = [7, UnavailableError("gone"), UnavailableError("still gone"), 8]
    now = [1.0]

    def read() -> object:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def run() -> None:
        subject = Group("g", read, 2.0, lambda: now[0], keep_seconds=0)
        seen = []
        for at in (1.0, 2.0, 3.0, 4.0):
            now[0] = at
            subject._due_at = 0.0
            await renewed(subject)
            found = subject.section
            seen.append((found.data, found.read_at, found.error, found.error_since))
        assert seen == [
            (7, 1.0, None, None),
            (7, 1.0, "gone", 2.0),
            (7, 1.0, "still gone", 2.0),
            (8, 4.0, None, None),
        ]

    asyncio.run(run())
