"""Retrying without end: while ClickHouse or Kafka is away, the worker holds and tries again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from services.aggregator.metrics import RETRIES
from services.platform.errors import UnavailableError
from services.platform.log import get_logger

logger = get_logger(__name__)
T = TypeVar("T")

DELAY_SECONDS_MIN: Final = 0.1
DELAY_SECONDS_MAX: Final = 10.0


class AbandonedError(Exception):
    """The work is no longer ours to finish: the partitions went elsewhere or we are stopping."""


async def persist(
    what: str, attempt: Callable[[], Awaitable[T]], abandoned: Callable[[], bool]
) -> T:
    """Call ``attempt`` until it succeeds, with growing, jittered pauses after `UnavailableError`.

    Raises `AbandonedError` as soon as ``abandoned()`` says so, and whatever else ``attempt``
    raises: that is no passing fault.
    """
    delay_seconds = DELAY_SECONDS_MIN
    failures = 0
    while True:
        if abandoned():
            raise AbandonedError(what)
        try:
            result = await attempt()
        except UnavailableError as error:
            failures += 1
            RETRIES.labels(what).inc()
            logger.warning("retrying", what=what, failures=failures, error=str(error))
            # Full jitter: many workers that lost one database must not come back in step.
            await asyncio.sleep(random.uniform(0.1, 1.0) * delay_seconds)
            delay_seconds = min(2 * delay_seconds, DELAY_SECONDS_MAX)
            continue
        if failures:
            logger.info("recovered", what=what, failures=failures)
        return result
