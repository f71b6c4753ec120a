"""What the agent makes of each batch: metered, cut, passed by, or the end of the worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from faust.types import TP

from services.aggregator.agent import meter_batches
from services.aggregator.core.continuity import RecordsReplacedError
from services.aggregator.core.dedup import IdsUnreadableError
from services.aggregator.core.judging import Records
from services.aggregator.decoding.batch_mark import BatchMark
from services.aggregator.errors import DatabaseWentBackError
from services.aggregator.kafka.transport import FetchedBatch
from services.aggregator.storage.retry import AbandonedError

Call = tuple[str, Any]


class App:
    """As much of the app as the agent sees; notes what is called, and fails as it was told to."""

    def __init__(self, ends: dict[int, int] | None = None) -> None:
        self.calls: list[Call] = []
        self.decoded: list[object] = []
        self.marks: list[Sequence[BatchMark]] = []
        #: What the next batches come to: an error, or whether they are metered.
        self.outcomes: list[Exception | bool] = []
        self.lineage = SimpleNamespace(ends=ends or {})
        self.meter = SimpleNamespace(consume=self._consume)
        self.consumer = SimpleNamespace(epoch=7)

    async def _consume(
        self,
        partition: int,
        first: int,
        records: Records,
        next_offset: int,
        decoded: object,
        marks: Sequence[BatchMark],
    ) -> bool:
        self.calls.append(("consume", (partition, first, records.offsets.tolist(), next_offset)))
        self.decoded.append(decoded)
        self.marks.append(marks)
        outcome = self.outcomes.pop(0) if self.outcomes else True
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def seek_again(self) -> None:
        self.calls.append(("seek", None))

    async def start_over(self, error: Exception) -> None:
        self.calls.append(("start over", str(error)))

    async def read_ids_again(self, partition: int, error: Exception) -> None:
        self.calls.append(("read ids again", partition))

    async def read_records_again(self, partition: int, error: Exception) -> None:
        self.calls.append(("read records again", partition))

    async def fail(self, error: Exception) -> None:
        self.calls.append(("fail", str(error)))


def batch(first: int, next_offset: int, *, partition: int = 0, epoch: int = 7) -> FetchedBatch:
    offsets = np.arange(first, next_offset)
    records = Records(offsets, offsets, [b"{"] * len(offsets))
    return FetchedBatch(TP("usage", partition), epoch, first, next_offset, records, None)


def read(app: App, *batches: FetchedBatch) -> list[Call]:
    async def each() -> AsyncIterator[FetchedBatch]:
        for one in batches:
            yield one

    asyncio.run(meter_batches(app)(each()))  # type: ignore[arg-type]
    return app.calls


def consumed(partition: int, first: int, next_offset: int) -> Call:
    return "consume", (partition, first, list(range(first, next_offset)), next_offset)


@pytest.mark.parametrize(
    ("first", "next_offset", "metered"),
    [(0, 5, (0, 5)), (0, 6, (0, 5)), (4, 9, (4, 5)), (5, 9, None), (6, 9, None)],
)
def test_of_a_log_that_was_followed_nothing_beyond_its_end_is_metered(
    first: int, next_offset: int, metered: tuple[int, int] | None
) -> None:
    """And reading goes on: other partitions may not have come to their ends."""
    calls = read(App({0: 5}), batch(first, next_offset), batch(5, 9, partition=1))
    assert calls == [
        *([] if metered is None else [consumed(0, *metered)]),
        consumed(1, 5, 9),
    ]


def test_of_a_log_that_was_followed_only_whole_batches_tell_what_was_read() -> None:
    app, marks = App({0: 5}), [BatchMark(0, 4, 1), BatchMark(4, 9, 2)]
    read(app, replace(batch(0, 9), marks=marks), replace(batch(0, 9, partition=1), marks=marks))
    assert app.marks == [marks[:1], marks]


def test_what_was_decoded_ahead_is_waited_for_and_handed_on() -> None:
    async def decoded() -> str:
        return "decoded"

    app, ahead = App(), batch(0, 2)
    object.__setattr__(ahead, "decoded", decoded())
    read(app, ahead, batch(2, 4))
    assert app.decoded == ["decoded", None]


@pytest.mark.parametrize(("whole", "epoch", "seeks"), [(True, 7, 0), (False, 6, 0), (False, 7, 1)])
def test_a_batch_behind_a_gap_is_sought_unless_a_seek_is_under_way(
    whole: bool, epoch: int, seeks: int
) -> None:
    app = App()
    app.outcomes = [whole]
    calls = read(app, batch(0, 2, epoch=epoch), batch(2, 4))
    assert calls == [consumed(0, 0, 2), *[("seek", None)] * seeks, consumed(0, 2, 4)]


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (AbandonedError("look up slices"), []),
        (DatabaseWentBackError("it is older"), [("start over", "it is older")]),
        (RecordsReplacedError(2), [("read records again", 0)]),
        (IdsUnreadableError("a block"), [("read ids again", 0)]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_can_be_mended_is_mended_and_reading_goes_on(
    error: Exception, answer: list[Call]
) -> None:
    app = App()
    app.outcomes = [error]
    calls = read(app, batch(0, 2), batch(3, 5, partition=1))
    assert calls == [consumed(0, 0, 2), *answer, consumed(1, 3, 5)]


def test_after_a_mistake_of_ours_nothing_is_read_any_more() -> None:
    """Faust would go on behind the batch, as if it were metered."""
    app = App()
    app.outcomes = [ValueError("a mistake of ours")]
    calls = read(app, batch(0, 2), batch(2, 4))
    assert calls == [consumed(0, 0, 2), ("fail", "a mistake of ours")]
