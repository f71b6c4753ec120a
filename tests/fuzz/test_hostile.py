"""Bodies that are dear to read: answered, and one four times as long costs four times as much."""

from __future__ import annotations

import asyncio
import gc
import time

import pytest

from bench.hostile_bodies import JSON_PATHS, PROTOBUF_PATHS, SHAPES
from tests.fuzz.service import Service

#: A quadratic scan of the larger takes seconds where a linear one takes milliseconds.
SMALL_BYTES = 4_000
LARGE_BYTES = 8 * SMALL_BYTES
#: Linear work grows eightfold, quadratic work by 64.
GROWTH_MAX = 32
#: Less than this is noise and not work: a quadratic scan takes seconds.
LEAST_SECONDS = 0.3
#: The machine may be busy with others: it is the best that counts.
TRIES = 5


@pytest.mark.parametrize("name", SHAPES)
def test_reading_takes_time_in_proportion_to_the_body(name: str) -> None:
    shape = SHAPES[name]
    small, large = shape.made(SMALL_BYTES), shape.made(LARGE_BYTES)
    service = Service()
    paths = PROTOBUF_PATHS if shape.protobuf else JSON_PATHS
    turn = list(SHAPES).index(name)
    # All of them on all paths would take minutes; each shape comes to native events and one more.
    for path, media in {paths[0], paths[turn % len(paths)]}:
        grown = max(_spent(service, path, media, small) * GROWTH_MAX, LEAST_SECONDS)
        taken = [_spent(service, path, media, large)]
        while min(taken) > grown and len(taken) < TRIES:
            taken.append(_spent(service, path, media, large))
        assert min(taken) <= grown, (path, media, grown / GROWTH_MAX, taken)


def _spent(service: Service, path: str, media: str, body: bytes) -> float:
    """Send it, and tell how much CPU time that took."""
    service.log.records.clear()
    service.rejections.records.clear()
    gc.collect()
    started = time.process_time()
    answer = asyncio.run(service.post(path, {"content-type": media}, body))
    spent = time.process_time() - started
    assert answer.status < 500, (path, answer.body[:200])
    return spent
