"""The Faust agent: fetched batches in, metered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

from services.aggregator.retry import AbandonedError
from services.aggregator.transport import FetchedBatch

if TYPE_CHECKING:
    from services.aggregator.app import MeterApp


def meter_batches(app: MeterApp) -> Callable[[AsyncIterator[FetchedBatch]], Awaitable[None]]:
    """Make the agent of an app."""

    async def meter(batches: AsyncIterator[FetchedBatch]) -> None:
        async for batch in batches:
            if batch.epoch != app.consumer.epoch:
                continue  # Read before the last seek, which brings it again.
            try:
                await app.meter.consume(batch.tp.partition, batch.records)
            except AbandonedError:
                continue  # The partition went elsewhere; its next owner reads the batch again.
            except Exception as error:
                # Faust would restart the agent and go on behind this batch; we must not.
                await app.fail(error)
                return

    return meter
