"""Ids of one stretch of log time in RocksDB: what a bucket takes of the memory it may have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from rocksdict import Cache

from services.aggregator.arrays.byte_spans import Words
from services.aggregator.storage.seen_bucket import Bucket

CACHE_BYTES = 256 * 1024
FILTER_BYTES = 64 * 1024
IDS = 50_000


@pytest.fixture
def ids() -> Words:
    return np.random.default_rng(1).integers(0, 2**63, (IDS, 2)).astype(np.uint64)


@pytest.fixture(params=["made", "opened again"])
def bucket(
    request: pytest.FixtureRequest, cache: Cache, ids: Words, tmp_path: Path
) -> Iterator[Bucket]:
    """A bucket with all the ids in RocksDB's tables."""
    bucket = Bucket(tmp_path / "bucket", cache, FILTER_BYTES)
    bucket.put(ids, np.arange(IDS))
    bucket._database.flush()
    if request.param == "opened again":
        moves = bucket.moves
        bucket.close()
        bucket = Bucket(tmp_path / "bucket", cache, FILTER_BYTES, moves)
    yield bucket
    bucket.close()


@pytest.fixture
def cache() -> Cache:
    return Cache(CACHE_BYTES)


def test_blocks_are_kept_in_the_cache_it_was_given(
    bucket: Bucket, cache: Cache, ids: Words
) -> None:
    """Not in one of its own: all buckets of a worker share what they may have."""
    assert (bucket.last_seen(ids) == np.arange(IDS)).all()
    assert CACHE_BYTES / 2 < cache.get_usage() <= CACHE_BYTES
