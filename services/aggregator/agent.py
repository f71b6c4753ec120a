"""The Faust agent: fetched batches in, metered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from services.aggregator.core.continuity import RecordsReplacedError
from services.aggregator.core.dedup import IdsUnreadableError
from services.aggregator.errors import DatabaseWentBackError
from services.aggregator.going_over import up_to
from services.aggregator.host import MeterHost
from services.aggregator.kafka.transport import FetchedBatch
from services.aggregator.storage.retry import AbandonedError


def meter_batches(app: MeterHost) -> Callable[[AsyncIterator[FetchedBatch]], Awaitable[None]]:
    """Make the agent of an app."""

    async def meter(batches: AsyncIterator[FetchedBatch]) -> None:
        async for batch in batches:
            try:
                decoded = None if batch.decoded is None else await batch.decoded
                end = app.lineage.ends.get(batch.tp.partition)
                if end is not None and end < batch.next_offset:
                    # What lies beyond the log's end belongs to its successor.
                    if end <= batch.first_offset:
                        continue
                    batch, decoded = up_to(end, batch, decoded)
                whole = await app.meter.consume(
                    batch.tp.partition,
                    batch.first_offset,
                    batch.records,
                    batch.next_offset,
                    decoded,
                    batch.marks,
                )
                # What was fetched before the last seek is brought again by that one.
                if not whole and batch.epoch == app.consumer.epoch:
                    await app.seek_again()
            except AbandonedError:
                continue  # The partition went elsewhere; its next owner reads the batch again.
            except DatabaseWentBackError as error:
                await app.start_over(error)
            except RecordsReplacedError as error:
                await app.read_records_again(batch.tp.partition, error)
            except IdsUnreadableError as error:
                await app.read_ids_again(batch.tp.partition, error)
            except Exception as error:
                # Faust would restart the agent and go on behind this batch; we must not.
                await app.fail(error)
                return

    return meter
