"""PURE: how a run of ids lies in its file.

::

    blocks of 64 ids, each sealed: first halves, second halves, times     in the order of the hashes
    the filter's words
    the first half that each block begins with                            (the fence)
    what the run is, as JSON; its length; a seal over filter, fence and this

Blocks are of one size, so a look-up finds in the fence which to read, and reads it alone; a seal
tells whether it is what was written. The seal is made with the run's own token and the number of
the block: a block of another run or place is none of this one. Times are milliseconds since the
first, in four bytes; in eight where a clock was off by more than those hold.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest, xxh3_128

from services.aggregator.arrays.byte_spans import Words
from services.aggregator.arrays.cuts import Cut
from services.aggregator.arrays.id_filter import words_for
from services.aggregator.arrays.sorted_ids import SortedIds
from services.aggregator.core.runs import Stretch

#: How a run lies in its file and what it means; one of another layout is of no use.
LAYOUT: Final = 1
#: By which hash ids are known here.
HASH: Final = "murmur3-128"
BLOCK_IDS: Final = 64
LENGTH_BYTES: Final = 4
DIGEST_BYTES: Final = 16
#: The length of the JSON, and the seal: what a file ends with.
TAIL_BYTES: Final = LENGTH_BYTES + DIGEST_BYTES
WORD_BYTES: Final = 8
SHORT_TIME_BYTES, LONG_TIME_BYTES = 4, 8

#: Whole blocks, a row each, of one of the types of `block_type`.
Blocks = NDArray[np.void]


class DamagedRunError(ValueError):
    """What was read is not what was written; the text says of which part."""


@dataclass(frozen=True, slots=True)
class Described:
    """What a run is, as its file says: of which log, partition and stretch, and how it lies there.

    ``room`` is for how many ids its filter is; ``token`` is a number that no other run has;
    ``synced`` says whether it was on disk, and not only in memory of the system, before it had its
    name.
    """

    log: str
    partition: int
    stretch: Stretch
    token: int
    room: int
    time_bytes: int
    synced: bool

    @property
    def block_bytes(self) -> int:
        """The size of a block."""
        return block_type(self.time_bytes).itemsize

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return -(-self.stretch.count // BLOCK_IDS)

    @property
    def index_bytes(self) -> int:
        """The size of filter and fence."""
        return WORD_BYTES * (words_for(self.room) + self.blocks)

    @property
    def index_at(self) -> int:
        """Where the filter begins."""
        return self.blocks * self.block_bytes


def time_bytes_for(first_ms: int, last_ms: int) -> int:
    """How many bytes the times of a run take."""
    return SHORT_TIME_BYTES if last_ms - first_ms < 1 << 8 * SHORT_TIME_BYTES else LONG_TIME_BYTES


def block_type(time_bytes: int) -> np.dtype[np.void]:
    """How a block lies in memory and file."""
    return np.dtype(
        [
            ("seal", "<u8"),
            ("high", "<u8", (BLOCK_IDS,)),
            ("low", "<u8", (BLOCK_IDS,)),
            ("time", f"<u{time_bytes}", (BLOCK_IDS,)),
        ]
    )


def packed(ids: SortedIds, described: Described, first_block: int) -> Blocks:
    """Lay ids out as blocks, of which only the last of a run may be filled in part."""
    whole, rest = divmod(len(ids), BLOCK_IDS)
    count = whole + (rest > 0)
    blocks = np.empty(count, block_type(described.time_bytes))
    since_ms = ids.seen_ms - described.stretch.first_ms
    for name, column in (("high", ids.high), ("low", ids.low), ("time", since_ms)):
        blocks[name][:whole] = column[: whole * BLOCK_IDS].reshape(whole, BLOCK_IDS)
        if rest:
            blocks[name][whole, :rest] = column[whole * BLOCK_IDS :]
            blocks[name][whole, rest:] = 0
    blocks["seal"] = seals_of(blocks, range(first_block, first_block + count), described.token)
    return blocks


def seals_of(blocks: Blocks, numbers: Iterable[int], token: int) -> list[int]:
    """A hash over all of each block but its place for it."""
    data, size = blocks.view(np.uint8).data, blocks.dtype.itemsize
    begins = range(WORD_BYTES, len(data), size)
    return [
        xxh3_64_intdigest(data[begin : begin + size - WORD_BYTES], token ^ number)
        for begin, number in zip(begins, numbers, strict=True)
    ]


def check(blocks: Blocks, numbers: Sequence[int], token: int) -> None:
    """Raise `DamagedRunError` where blocks are not those of these numbers, as they were written."""
    if seals_of(blocks, numbers, token) != blocks["seal"].tolist():
        raise DamagedRunError("a block of ids is damaged")


def unpacked(blocks: Blocks, described: Described, first_block: int) -> SortedIds:
    """The ids of neighbouring blocks."""
    count = min(len(blocks) * BLOCK_IDS, described.stretch.count - first_block * BLOCK_IDS)
    return SortedIds(
        blocks["high"].reshape(-1)[:count].astype(np.uint64),
        blocks["low"].reshape(-1)[:count].astype(np.uint64),
        blocks["time"].reshape(-1)[:count].astype(np.int64) + described.stretch.first_ms,
    )


def footer(described: Described, filter_words: Words, fence: Words) -> list[bytes]:
    """What stands behind the blocks, in parts."""
    content = {"layout": LAYOUT, "hash": HASH, **asdict(described)}
    text = json.dumps(content, separators=(",", ":")).encode()
    parts = [filter_words.astype("<u8").tobytes(), fence.astype("<u8").tobytes(), text]
    seal = xxh3_128()
    for part in parts:
        seal.update(part)
    return [*parts, len(text).to_bytes(LENGTH_BYTES, "little"), seal.digest()]


def described_by(text: bytes) -> Described:
    """What a run's JSON says. Raises `DamagedRunError`, also for one of another layout."""
    try:
        content: Any = json.loads(text)
        if (content.pop("layout"), content.pop("hash")) != (LAYOUT, HASH):
            raise DamagedRunError("it is of another version of Wattoken")
        stretch = content.pop("stretch")
        begin, end = Cut(**stretch.pop("begin")), Cut(**stretch.pop("end"))
        return Described(stretch=Stretch(begin, end, **stretch), **content)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DamagedRunError(f"what it says of itself cannot be read: {error}") from error


def index_of(described: Described, index: bytes, text: bytes, digest: bytes) -> tuple[Words, Words]:
    """The filter's words and the fence. Raises `DamagedRunError`."""
    seal = xxh3_128(index)
    seal.update(text)
    if seal.digest() != digest or len(index) != described.index_bytes:
        raise DamagedRunError("its filter, its fence or what it says of itself is damaged")
    words = np.frombuffer(index, "<u8")
    count = words_for(described.room)
    return words[:count].astype(np.uint64), words[count:].astype(np.uint64)
