"""The app around a recovery: when reading may go on, and what is said where it fails."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from services.aggregator.app import MeterApp
from services.aggregator.errors import (
    CheckpointAheadError,
    LogReplacedError,
    PartitionsChangedError,
)
from services.platform.errors import UnavailableError
from tests.record_batches import batch_of
from tests.unit.services.aggregator.kafka.test_transport import TPS, Reading, stretch


class Waiting(Reading):
    """A consumer that waits for its flow."""

    def __init__(self) -> None:
        super().__init__({TPS[0]: [stretch(batch_of([b"a"]))]})
        self.can_resume_flow, self.suspend_flow = asyncio.Event(), asyncio.Event()

    async def wait(self, *events: Any, timeout: Any = None) -> Any:
        await events[0].wait()


class App:
    """As much of the app as a recovery needs."""

    recover_assigned = MeterApp.recover_assigned

    def __init__(self, consumer: Reading) -> None:
        self.consumer = consumer

    async def recover(self) -> None:
        """All is here already."""


def test_nothing_is_read_from_a_recovery_on_until_the_flow_begins() -> None:
    """Faust empties its queues when the flow begins: what was read before would be lost."""

    async def read_around_a_recovery() -> list[TP]:
        consumer = Waiting()
        # The recovery of a rebalance before, which another overtook, let reading begin.
        consumer.resume_flow()
        await App(consumer).recover_assigned()  # type: ignore[misc]
        handed_out: list[TP] = []

        async def read() -> None:
            handed_out.extend([tp async for tp, _ in consumer.getmany(0.1)])

        reading = asyncio.ensure_future(read())
        for _ in range(10):
            await asyncio.sleep(0)
        assert handed_out == []
        consumer.resume_flow()
        await reading
        return handed_out

    assert asyncio.run(read_around_a_recovery()) == [TPS[0]]


class Gone:
    """As much of the app as it takes to recover what is gone; partitions 1 and 2 end at 50."""

    recover_gone = MeterApp.recover_gone

    def __init__(self, answer: Exception | None = None) -> None:
        self.answer = answer
        self.done: list[Any] = []
        self.offsets = SimpleNamespace(ends=self.ends)
        self.meter = SimpleNamespace(drop=lambda some: self.done.append(("drop", sorted(some))))
        self.consumer = SimpleNamespace(perform_seek=self.step("seek"))
        self.last_flush, self.recover = self.step("flush"), self.step("recover")

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    def ends(self, partitions: list[int]) -> dict[int, int]:
        if self.answer is not None:
            raise self.answer
        return dict.fromkeys(partitions, 50)

    def step(self, name: str) -> Any:
        async def do() -> None:
            self.done.append(name)

        return do


def recovered(app: Gone, **offsets: int) -> list[Any]:
    gone = {TP("topic", int(name[1:])): offset for name, offset in offsets.items()}
    asyncio.run(app.recover_gone(gone))  # type: ignore[misc]
    return app.done


def test_what_was_read_is_written_only_where_the_log_has_its_end_yet() -> None:
    again = ["recover", "seek"]
    # Beyond the end it may have been of what the log lost; at the end or below, it was not.
    assert recovered(Gone(), p1=51) == [("drop", [1]), *again]
    assert recovered(Gone(), p1=50) == [("drop", []), "flush", ("drop", [1]), *again]
    assert recovered(Gone(), p1=60, p2=3) == [("drop", [1]), "flush", ("drop", [1, 2]), *again]


def test_nothing_is_dropped_before_the_log_was_asked() -> None:
    assert recovered(Gone(UnavailableError("no broker")), p1=51) == []


AHEAD = CheckpointAheadError("the checkpoint is 836, but the log ends at 0")


class Failed:
    """As much of the app as saying why a recovery failed needs; ``seen`` is how its log looks."""

    reason = MeterApp._reason

    def __init__(self, seen: Exception | None) -> None:
        self.seen = seen

    async def check_log(self) -> None:
        """Look at the log."""
        if self.seen is not None:
            raise self.seen


@pytest.mark.parametrize("seen", [LogReplacedError("recreated"), PartitionsChangedError("grown")])
def test_a_log_that_is_another_by_now_is_the_reason(seen: Exception) -> None:
    assert asyncio.run(Failed(seen).reason(AHEAD)) is seen  # type: ignore[misc]


@pytest.mark.parametrize("seen", [None, UnavailableError("Kafka does not answer")])
def test_else_it_is_what_recovery_found(seen: Exception | None) -> None:
    assert asyncio.run(Failed(seen).reason(AHEAD)) is AHEAD  # type: ignore[misc]


@pytest.mark.parametrize(
    ("in_doubt", "answer", "done"),
    [
        ([], {}, ["seek"]),
        ([0, 2], {0: 5, 2: 9}, ["starts [0, 2]", "believe {0: 5, 2: 9}", "seek"]),
        ([0], UnavailableError("no broker"), ["starts [0]", "seek"]),
    ],
)
def test_before_a_batch_is_sought_again_it_is_asked_whether_it_is_there(
    in_doubt: list[int], answer: Any, done: list[str]
) -> None:
    calls: list[str] = []

    def starts(partitions: list[int]) -> dict[int, int]:
        calls.append(f"starts {partitions}")
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)

    async def perform_seek() -> None:
        calls.append("seek")

    async def run() -> None:
        app = SimpleNamespace(
            loop=asyncio.get_running_loop(),
            offsets=SimpleNamespace(starts=starts),
            meter=SimpleNamespace(
                in_doubt=in_doubt, believe=lambda found: calls.append(f"believe {found}")
            ),
            consumer=SimpleNamespace(perform_seek=perform_seek),
        )
        await MeterApp.seek_again(app)  # type: ignore[arg-type]

    asyncio.run(run())
    assert calls == done
