"""Batches read as columns say what aiokafka says of the same bytes, record by record."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from aiokafka.codec import snappy_encode
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.aggregator.arrays.byte_spans import Buffer
from services.aggregator.decoding.record_batch import (
    DECOMPRESS,
    HEADER,
    JOINED_BYTES_MAX,
    MalformedBatchError,
    RawValues,
    RecordBatch,
    offsets_and_times,
    unpack,
    varints,
)
from services.aggregator.kafka.raw_fetch import FetchedBatches
from tests.record_batches import (
    CODECS,
    CONTROL,
    GZIP,
    LZ4,
    SNAPPY,
    TRANSACTIONAL,
    ZSTD,
    Record,
    batch_of,
    log_append,
    raw_batch,
    with_header,
)
from tests.versions.effort import examples

T0_MS = 1_773_576_000_000
#: Lengths around which a varint gets one byte longer: it holds them doubled.
LENGTHS = [0, 1, 63, 64, 127, 128, 8191, 8192, 16383, 16384]
TEXTS = st.one_of(st.none(), st.just(b""), st.binary(max_size=80))
LONG_TEXTS = st.one_of(TEXTS, st.sampled_from(LENGTHS).map(lambda length: b"v" * length))
HEADERS = st.lists(st.tuples(st.text(max_size=70), TEXTS), max_size=3).map(tuple)
RECORDS = st.tuples(
    st.integers(0, 200),
    st.one_of(st.integers(-200, 200), st.integers(-(2**62), 2**62)),
    LONG_TEXTS,
    LONG_TEXTS,
    HEADERS,
)


def split(data: bytes) -> Iterator[RecordBatch]:
    """The whole batches of a fetch."""
    fetched = FetchedBatches(data)
    while fetched.has_next():
        yield fetched.next_batch()


@st.composite
def raw_batches(draw: st.DrawFn) -> bytes:
    """A batch with or without holes, in any codec, stamped by its producer or by the broker."""
    dense = draw(st.booleans())
    records, delta = [], -1
    for hole, time_ms, value, key, headers in draw(st.lists(RECORDS, max_size=6)):
        delta += 1 if dense else 1 + hole
        records.append(Record(delta, time_ms, value, key, headers))
    # Compaction may take the last record, too; the header keeps its place.
    last_delta = delta + (0 if dense and records else draw(st.integers(1, 300)))
    raw = raw_batch(
        records,
        # What compaction leaves empty has no payload, and so no codec.
        draw(st.sampled_from(sorted(CODECS))) if records else 0,
        base_offset=draw(st.integers(0, 2**40)),
        last_offset_delta=last_delta,
    )
    return log_append(raw, T0_MS) if draw(st.booleans()) else raw


def oracle(raws: Sequence[bytes]) -> list[tuple[int, int, bytes | None]]:
    """Offset, append time and value of each record, as aiokafka reads them."""
    return [
        (record.offset, record.timestamp, record.value)
        for raw in raws
        for record in DefaultRecordBatch(raw)
    ]


def said(raws: Sequence[bytes]) -> list[tuple[int, int, bytes | None]]:
    """The same, as it is read here."""
    batches = [RecordBatch.of(raw) for raw in raws]
    values = RawValues(batches)
    columns = [batch.offsets_and_times() for batch in batches]
    offsets = [offset for column, _ in columns for offset in column.tolist()]
    times = [time for _, column in columns for time in column.tolist()]
    assert len(values) == len(offsets) == len(times)
    return list(zip(offsets, times, values, strict=True))


@settings(deadline=None, max_examples=examples(300))
@given(st.lists(raw_batches(), max_size=4))
def test_reads_what_aiokafka_reads(raws: list[bytes]) -> None:
    records = [record for raw in raws for record in DefaultRecordBatch(raw)]
    assert said(raws) == oracle(raws)
    batches = [RecordBatch.of(raw) for raw in raws]
    unpacked = unpack(batches)
    everything = np.arange(len(records))
    assert unpacked.keys.values(everything) == [record.key for record in records]
    assert unpacked.values.values(everything) == [record.value for record in records]
    offsets, times = offsets_and_times(batches, unpacked)
    assert offsets.tolist() == [record.offset for record in records]
    assert times.tolist() == [record.timestamp for record in records]
    frames = unpacked.values.frames
    values = [record.value or b"" for record in records]
    assert frames.values(everything) == values
    assert (frames.ends - frames.starts).tolist() == [len(value) for value in values]
    starts = np.repeat([batch.base_offset for batch in batches], [len(batch) for batch in batches])
    assert (starts + unpacked.offset_deltas).tolist() == [record.offset for record in records]


@settings(deadline=None)
@given(raw_batches())
def test_the_header_is_what_aiokafka_says_it_is(raw: bytes) -> None:
    batch, other = RecordBatch.of(raw), DefaultRecordBatch(raw)
    assert (batch.base_offset, batch.next_offset) == (other.base_offset, other.next_offset)
    assert (batch.crc, batch.attributes) == (other.crc, other.attributes)
    assert (batch.base_timestamp_ms, batch.max_timestamp_ms) == (
        other.first_timestamp,
        other.max_timestamp,
    )
    assert batch.validate_crc() and other.validate_crc()
    assert batch.last_offset_delta == other.last_offset_delta
    assert len(batch) == len(list(other))


@pytest.mark.parametrize("size", [0, 16, 17, 60])
def test_what_is_shorter_than_a_header_is_no_batch(size: int) -> None:
    raw = batch_of([b"a"]).raw[:size]
    with pytest.raises(MalformedBatchError, match=f"^{size} bytes are no record batch$"):
        RecordBatch.of(raw)
    with pytest.raises(MalformedBatchError):
        list(split(struct.pack(">qi", 0, 5) + b"12345"))


@pytest.mark.parametrize("codec", sorted(CODECS), ids=CODECS.get)
def test_every_codec(codec: int) -> None:
    values = [b"value " * 30, None, b"", *[b"%06d" % number * 20 for number in range(500)]]
    batch = batch_of(values, 40, T0_MS, codec=codec)
    assert batch.attributes & 0x07 == codec, "it is compressed indeed"
    assert list(RawValues([batch])) == values
    offsets, times = batch.offsets_and_times()
    assert offsets.tolist() == list(range(40, 40 + len(values)))
    assert set(times.tolist()) == {T0_MS}


def test_snappy_without_the_frame_that_java_puts_around_it() -> None:
    plain = batch_of([b"value " * 30] * 9)
    block = snappy_encode(plain.payload(), xerial_compatible=False)
    raw = with_header(plain.raw[: HEADER.size] + block, attributes=plain.attributes | SNAPPY)
    assert list(RawValues([RecordBatch.of(raw)])) == [b"value " * 30] * 9


@pytest.mark.parametrize("field", ["value", "key", "header"])
@pytest.mark.parametrize("length", [128, 16384, 2**20, 2**20 + 2**19, 2 * 2**20 + 1])
def test_long_fields(field: str, length: int) -> None:
    long = b"x" * length
    first = {
        "value": Record(0, T0_MS, long),
        "key": Record(0, T0_MS, b"short", long),
        "header": Record(0, T0_MS, b"short", None, (("h", long),)),
    }[field]
    records = [first, Record(1, T0_MS + 5, b"next", b"key")]
    raws = [raw_batch(records), raw_batch(records, base_offset=2)]
    # Not compared by ==: pytest would be busy for long with two megabytes that differ.
    assert all(found == expected for found, expected in zip(said(raws), oracle(raws), strict=True))


def test_a_batch_stamped_by_the_broker_is_placed_without_being_unpacked() -> None:
    batch = batch_of([b"a", b"b"], 7, T0_MS)
    broken = RecordBatch.of(batch.raw[: HEADER.size] + b"\xff" * 3)
    offsets, times = broken.offsets_and_times()
    assert (offsets.tolist(), times.tolist()) == ([7, 8], [T0_MS, T0_MS])
    assert offsets.dtype == times.dtype == np.dtype(np.int64)
    assert len(RawValues([broken])) == 2


def test_compaction_may_leave_a_batch_without_records() -> None:
    batch = RecordBatch.of(raw_batch([], base_offset=5, last_offset_delta=9))
    assert (len(batch), batch.next_offset) == (0, 15)
    assert [len(column) for column in batch.offsets_and_times()] == [0, 0]
    assert list(RawValues([batch, batch_of([b"a"]), batch])) == [b"a"]


def test_values_are_a_sequence() -> None:
    values = [b"a", None, b"", b"dd"]
    raw = RawValues([batch_of(values[:1]), batch_of(values[1:])])
    assert (raw[-1], raw[1], raw[np.int64(0)]) == (b"dd", None, b"a")
    assert raw[1:3] == [None, b""]
    assert len(RawValues([])) == 0 and list(RawValues([])) == []
    with pytest.raises(IndexError):
        raw[4]


@given(st.lists(raw_batches(), max_size=3), st.integers(0, 100_000))
def test_a_fetch_is_cut_into_its_whole_batches(raws: list[bytes], cut: int) -> None:
    data = b"".join(raws)
    assert [batch.raw for batch in split(data)] == raws
    # The broker sends so many bytes, and whatever batch is in the middle of it is cut off.
    data = data[: cut % (len(data) + 1)]
    found = [batch.raw for batch in split(data)]
    assert found == raws[: len(found)]
    rest = len(data) - len(b"".join(found))
    assert rest == 0 or rest < len(raws[len(found)])


def test_wherever_a_fetch_ends() -> None:
    raws = [batch_of([b"a"]).raw, batch_of([b"b", None], 1).raw]
    data, first = b"".join(raws), len(raws[0])
    for size in range(len(data) + 1):
        expected = raws[: (size >= first) + (size == len(data))]
        assert [batch.raw for batch in split(data[:size])] == expected


@pytest.mark.parametrize("place", [HEADER.size - 1, HEADER.size, -1])
def test_a_changed_byte_is_noticed(place: int) -> None:
    raw = bytearray(batch_of([b"value"]).raw)
    raw[place] ^= 1
    batch = RecordBatch.of(bytes(raw))
    assert not batch.validate_crc()
    assert not DefaultRecordBatch(bytes(raw)).validate_crc()


def test_the_broker_may_change_what_the_crc_leaves_out() -> None:
    raw = batch_of([b"value"]).raw
    moved = RecordBatch.of(struct.pack(">q", 99) + raw[8:12] + struct.pack(">i", 3) + raw[16:])
    assert moved.validate_crc()
    assert moved.base_offset == 99


@pytest.mark.parametrize("magic", [0, 1])
def test_older_message_formats_are_refused_by_name(magic: int) -> None:
    builder = LegacyRecordBatchBuilder(magic, 0, 1 << 20)
    builder.append(0, timestamp=T0_MS, key=b"k", value=b"v" * 100)
    with pytest.raises(MalformedBatchError, match=f"message format {magic} at offset 0"):
        list(split(bytes(builder.build())))


@pytest.mark.parametrize("codec", [5, 6, 7])
def test_an_unknown_codec_is_refused(codec: int) -> None:
    batch = RecordBatch.of(with_header(batch_of([b"v"], 12).raw, attributes=codec))
    with pytest.raises(MalformedBatchError, match=f"compression {codec} at offset 12"):
        batch.payload()
    with pytest.raises(MalformedBatchError):
        list(RawValues([batch]))


def small_batches(codec: int) -> list[RecordBatch]:
    """Batches of one to three records, as many small producers write them."""
    batches, offset = [], 0
    for number in range(60):
        value = b'{"n": %d, "text": "%s"}' % (number, b"a" * 200)
        records = [Record(delta, delta, value, b"key") for delta in range(number % 3 + 1)]
        last = len(records) - 1
        raw = raw_batch(records, codec, base_offset=offset, last_offset_delta=last)
        batches.append(RecordBatch.of(raw))
        # A builder leaves out a codec that makes nothing smaller.
        assert batches[-1].attributes == codec
        offset += len(records)
    return batches


@pytest.mark.parametrize("codec", sorted(CODECS))
def test_small_batches_side_by_side_are_read_as_each_alone(codec: int) -> None:
    batches = small_batches(codec)
    alone = [value for batch in batches for value in RawValues([batch])]
    assert list(RawValues(batches)) == alone
    assert said([batch.raw for batch in batches]) == oracle([batch.raw for batch in batches])


@pytest.mark.parametrize("codec", sorted(CODECS))
def test_neighbours_are_decompressed_by_one_call(
    codec: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If they are small, of one codec, and it takes frames one behind the other."""
    decompress, calls = DECOMPRESS[codec], []

    def counted(packed: memoryview) -> bytes:
        calls.append(len(packed))
        return decompress(packed)

    monkeypatch.setitem(DECOMPRESS, codec, counted)
    small = small_batches(codec)
    noise = random.Random(1).randbytes(2 * JOINED_BYTES_MAX)
    large = RecordBatch.of(raw_batch([Record(0, 0, noise + b"a" * len(noise))], codec))
    [other, *_] = small_batches(GZIP if codec == LZ4 else LZ4)
    empty = RecordBatch.of(raw_batch([], last_offset_delta=3))
    together = codec in (LZ4, ZSTD)
    for batches, expected in (
        (small, 1),
        ([*small[:20], large, *small[20:]], 3),
        ([*small[:20], other, *small[20:]], 2),
        ([large, *small], 2),
        (small[:1], 1),
        ([*small, other], 1),
        *([([empty, *small, empty], 1)] if codec else []),
    ):
        calls.clear()
        values = [value for batch in batches for value in RawValues([batch])]
        of_codec = len(calls)
        calls.clear()
        assert unpack(batches).values.values(np.arange(len(values))) == values
        assert len(calls) == (expected if together else of_codec)


@pytest.mark.parametrize("codec", sorted(CODECS))
def test_among_small_batches_the_wrong_one_is_named(codec: int) -> None:
    batches = small_batches(codec)
    for one, other in ((1, 3), (3, 1)):
        wrong = list(batches)
        # Of two records each; together the count is right.
        wrong[10] = RecordBatch.of(with_header(batches[10].raw, count=one))
        wrong[13] = RecordBatch.of(with_header(batches[13].raw, count=other))
        offset = batches[10].base_offset
        with pytest.raises(MalformedBatchError, match=f"at offset {offset} has 2 records"):
            unpack(wrong)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_count_that_is_wrong_is_refused(count: int) -> None:
    good = batch_of([b"a", b"b"], 3)
    wrong = RecordBatch.of(with_header(good.raw, count=count))
    # Also where the counts of all batches together would be right.
    other = RecordBatch.of(with_header(good.raw, count=4 - count))
    for batches in ([wrong], [good, wrong], [wrong, other]):
        with pytest.raises(MalformedBatchError, match="at offset 3 has 2 records"):
            unpack(batches)


@pytest.mark.parametrize(
    ("attributes", "control", "transactional"),
    [(0, False, False), (TRANSACTIONAL, False, True), (TRANSACTIONAL | CONTROL, True, True)],
)
def test_what_belongs_to_transactions(attributes: int, control: bool, transactional: bool) -> None:
    batch = RecordBatch.of(with_header(batch_of([b"v"]).raw, attributes=attributes, producer_id=9))
    assert (batch.is_control, batch.is_transactional) == (control, transactional)
    assert batch.producer_id == 9


def zigzag(number: int) -> bytes:
    """Encode as the format has it: zigzag, then seven bits a byte, the lowest first."""
    number = (number << 1) ^ (number >> 63)
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


@given(st.lists(st.integers(-(2**62), 2**62 - 1)))
@example([0, -1, 63, -64, 64, -65, 2**31 - 1, -(2**31), 2**62 - 1, -(2**62)])
def test_varints(numbers: list[int]) -> None:
    encoded = [zigzag(number) for number in numbers]
    sizes = np.array([len(number) for number in encoded], np.int64)
    ends = np.cumsum(sizes)
    starts = ends - sizes
    found, after = varints(Buffer(*encoded), starts)
    assert (found.tolist(), after.tolist()) == (numbers, ends.tolist())


def never(*_: Any) -> Any:
    raise AssertionError("unpacked though nobody asked")


def test_values_are_unpacked_once_and_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    values = RawValues([batch_of([b"a", b"b"], codec=1)])
    with monkeypatch.context() as patched:
        patched.setattr("services.aggregator.decoding.record_batch.unpack", never)
        assert len(values) == 2
    assert values[0] == b"a"
    monkeypatch.setattr("services.aggregator.decoding.record_batch.unpack", never)
    assert values[1] == b"b"
