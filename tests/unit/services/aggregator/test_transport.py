from __future__ import annotations

import asyncio
from typing import Any

from aiokafka.errors import NoOffsetForPartitionError
from faust.types import TP

from services.aggregator.transport import Consumer


class NotYetSought(Consumer):
    """A consumer that was just assigned a partition of which its group has committed nothing."""

    def __init__(self) -> None:
        """Leave out what a fetch does not come to."""

    async def _wait_next_records(self, timeout: float) -> Any:
        raise NoOffsetForPartitionError(TP("topic", 0))


def test_a_fetch_before_recovery_has_sought_brings_nothing_and_ends_nothing() -> None:
    async def fetched() -> list[Any]:
        return [message async for message in NotYetSought().getmany(0.1)]

    assert asyncio.run(fetched()) == []
