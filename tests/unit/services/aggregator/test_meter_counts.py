"""What a meter says of itself in its metrics: dashboards and alerts go by these numbers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np

from schemas.metering_rules import MeteringRules
from services.aggregator import meter as module
from services.aggregator.core.judging import Records
from services.aggregator.core.partition import Checkpoint
from services.aggregator.core.timing import RuleBook
from services.aggregator.metrics import REGISTRY
from tests.unit.services.aggregator.test_meter import EVENT, LATER_MS, NOW_MS, Metering


def gauge(name: str) -> float | None:
    return REGISTRY.get_sample_value(f"wattoken_aggregator_{name}")


class Counted:
    """By how much each of some counters rose since."""

    def __init__(self, *names: str) -> None:
        self._before = {name: gauge(f"{name}_total") or 0 for name in names}

    def __call__(self) -> dict[str, float]:
        return {
            name: (gauge(f"{name}_total") or 0) - before for name, before in self._before.items()
        }


def test_batches_records_and_gaps_are_counted() -> None:
    """A gap is where records are missing between two batches, such as a transaction's markers."""

    async def run() -> None:
        counted = Counted("batches", "records", "offset_gaps")
        metering = Metering()
        await metering.consume(0, 3)
        await metering.consume(3, 2)
        assert counted() == {"batches": 2, "records": 5, "offset_gaps": 0}
        behind_markers = Records(np.array([7]), np.array([NOW_MS]), [EVENT % (7, 1)])
        assert await metering.meter.consume(0, 5, behind_markers, 8)
        nothing = Records(np.empty(0, np.int64), np.empty(0, np.int64), [])
        assert await metering.meter.consume(0, 8, nothing, 9)
        assert counted() == {"batches": 4, "records": 6, "offset_gaps": 1}
        assert metering.meter.positions() == {0: 9}

    asyncio.run(run())


def test_batches_that_are_not_metered_are_not_counted() -> None:
    async def run() -> None:
        metering = Metering()
        counted = Counted("batches", "records")
        assert not await metering.consume(1), "behind a gap"
        metering.meter.drop({0})
        assert await metering.consume(0), "of a partition that went elsewhere"
        assert counted() == {"batches": 0, "records": 0}

    asyncio.run(run())


def test_slices_looked_up_are_counted() -> None:
    async def run() -> None:
        counted = Counted("slice_look_ups")
        metering = Metering()
        metering.take_over(Checkpoint(0, 0), LATER_MS)
        await metering.consume(0)
        assert counted() == {"slice_look_ups": 2}, "a minute and an hour"

    asyncio.run(run())


def test_events_that_count_for_other_are_counted() -> None:
    async def run() -> None:
        counted = Counted("events_as_other")
        metering = Metering()
        metering.state._rules = RuleBook(((0, MeteringRules(series_max=1)),))
        values = [EVENT % (0, 1), *(EVENT.replace(b'"m"', b'"n"') % (n, 1) for n in (1, 2))]
        records = Records(np.arange(3), np.full(3, NOW_MS), values)
        await metering.meter.consume(0, 0, records, 3)
        assert counted() == {"events_as_other": 2}

    asyncio.run(run())


def test_what_is_in_memory_is_shown_after_a_flush_and_after_a_rebalance() -> None:
    async def run() -> None:
        metering = Metering()
        await metering.consume(0, 2)
        await metering.meter.flush()
        names = ("partitions", "pending_rows", "seen_ids", "slices")
        assert [gauge(name) for name in names] == [1, 0, 2, 3]
        await metering.consume(2)
        metering.meter.states[1] = metering.state
        metering.meter.drop({1})
        assert [gauge(name) for name in names] == [1, 3, 3, 3]
        metering.meter.drop({0})
        assert [gauge(name) for name in names] == [0, 0, 0, 0]

    asyncio.run(run())


def test_partitions_that_were_recovered_are_counted_and_shown(monkeypatch: Any) -> None:
    """And all that the worker has share its memory, also those that are here already."""

    async def run() -> None:
        metering = Metering()
        counted = Counted("recoveries")
        asked: list[tuple[list[int], int]] = []

        def recover(
            edges: object,
            sink: object,
            partitions: list[int],
            abandoned: Callable[[], bool],
            *,
            sharing: int,
        ) -> dict[int, Any]:
            asked.append((partitions, sharing))
            return dict.fromkeys(partitions, metering.state)

        monkeypatch.setattr(module, "recover", recover)
        await metering.meter.recover([0, 1, 2], lambda: False)
        assert asked == [([1, 2], 3)]
        assert counted() == {"recoveries": 2}
        assert gauge("partitions") == 3
        await metering.meter.recover([0, 1, 2], lambda: False)
        assert len(asked) == 1, "what one has recovered is kept"

    asyncio.run(run())
