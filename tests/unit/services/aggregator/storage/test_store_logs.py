"""RocksDB's logs and manifests, as it wrote them and damaged: read to an end, or refused."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from rocksdict import Cache

from services.aggregator.arrays.byte_spans import Words
from services.aggregator.storage.seen_bucket import DATABASE, Bucket
from services.aggregator.storage.store_files import StoreFault
from services.aggregator.storage.store_logs import BLOCK_BYTES, look_through, whole_bytes
from tests.memory_disk import MEMORY_DISK

MOVES, IDS_PER_MOVE = 5, 900
IDS: Words = np.random.default_rng(3).integers(0, 2**64, (MOVES * IDS_PER_MOVE, 2), np.uint64)


@pytest.fixture(scope="module")
def written() -> Iterator[dict[str, bytes]]:
    """What a kill leaves of the log and the manifest of a bucket."""
    with tempfile.TemporaryDirectory(dir=MEMORY_DISK) as folder:
        bucket = Bucket(Path(folder) / "bucket-0-0", Cache(1 << 20), 4096)
        for move in range(MOVES):
            here = slice(move * IDS_PER_MOVE, (move + 1) * IDS_PER_MOVE)
            bucket.put(IDS[here], np.full(IDS_PER_MOVE, move))
        names = {"*.log": "log", "MANIFEST-*": "manifest"}
        yield {
            name: next((bucket.path / DATABASE).glob(pattern)).read_bytes()
            for pattern, name in names.items()
        }
        bucket.close()


@pytest.fixture
def log(written: dict[str, bytes]) -> bytes:
    assert len(written["log"]) > 3 * BLOCK_BYTES, "records go over the ends of blocks"
    return written["log"]


@pytest.fixture
def manifest(written: dict[str, bytes]) -> bytes:
    return written["manifest"]


def test_what_rocksdb_wrote_is_whole(log: bytes, manifest: bytes) -> None:
    assert whole_bytes(log) == len(log)
    assert whole_bytes(manifest) == len(manifest) > 0
    assert whole_bytes(b"") == 0


def test_cut_anywhere_whole_records_remain(log: bytes) -> None:
    ends = sorted({whole_bytes(log[:length]) for length in range(0, len(log) + 1, 97)})
    assert ends[0] == 0 and len(ends) >= MOVES
    assert all(whole_bytes(log[:end]) == end for end in ends)
    for length in range(0, len(log), 997):
        assert whole_bytes(log[:length]) == max(end for end in ends if end <= length)


def test_each_bit_of_a_manifest_counts(manifest: bytes) -> None:
    for at in range(len(manifest)):
        for bit in range(8):
            damaged = bytearray(manifest)
            damaged[at] ^= 1 << bit
            assert whole_bytes(bytes(damaged)) <= at, f"bit {bit} of byte {at}"


def test_bytes_lost_or_added_are_noticed(manifest: bytes) -> None:
    for at in range(len(manifest) - 1):
        assert whole_bytes(manifest[:at] + manifest[at + 1 :]) < len(manifest) - 1
        assert whole_bytes(manifest[:at] + b"\7" + manifest[at:]) < len(manifest) + 1


def test_no_manifest_is_handed_on_that_is_not_whole(tmp_path: Path, manifest: bytes) -> None:
    path = tmp_path / "MANIFEST-000005"
    path.write_bytes(manifest)
    look_through(tmp_path)
    assert path.read_bytes() == manifest
    # Seen: RocksDB reads this forever.
    path.write_bytes(manifest + b"\x5a" * 40)
    with pytest.raises(StoreFault, match="MANIFEST-000005 is damaged"):
        look_through(tmp_path)


def test_a_log_is_cut_off_behind_its_last_whole_record(tmp_path: Path, log: bytes) -> None:
    path = tmp_path / "000004.log"
    path.write_bytes(log)
    look_through(tmp_path)
    assert path.read_bytes() == log
    path.write_bytes(log + b"\x5a" * 40_000)
    look_through(tmp_path)
    assert path.read_bytes() == log
    middle = len(log) // 2
    path.write_bytes(log[:middle] + log[middle + 9 :])
    look_through(tmp_path)
    left = path.read_bytes()
    assert 0 < len(left) < middle and log.startswith(left)
