"""Each reading of many places against the plain reading of one."""

from __future__ import annotations

import re
from itertools import accumulate
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.arrays import byte_spans
from services.aggregator.arrays.byte_spans import (
    FIRST_BYTES,
    Buffer,
    Literal,
    Words,
    bytes_below,
    digit_pairs,
    eight_digits,
    may_have_finer_times,
    no_text,
    not_digits,
    text_ends,
    texts,
    whole_numbers,
)
from services.aggregator.arrays.key_index import Ints

#: Bytes around which tests on bytes go wrong, and some that are plain.
EDGES = b'\0\x01\x1f\x20\x21"#/09:[\\]a\x7f\x80\xa2\xaf\xb0\xb9\xba\xdc\xfe\xff'
ANY_BYTES = st.one_of(
    st.binary(max_size=60),
    st.lists(st.sampled_from(EDGES), max_size=60).map(bytes),
    st.lists(st.sampled_from(b"0123456789ab"), max_size=60).map(bytes),
)
EIGHT_BYTES = st.one_of(
    st.binary(min_size=8, max_size=8),
    st.lists(st.sampled_from(EDGES + b"aaaaaaaaaaaa"), min_size=8, max_size=8).map(bytes),
    st.lists(st.sampled_from(EDGES + b"000111222999"), min_size=8, max_size=8).map(bytes),
)


def words_of(rows: list[bytes]) -> Words:
    return np.array([int.from_bytes(row, "little") for row in rows], np.uint64)


def put_together(pieces: list[bytes]) -> tuple[Buffer, Ints]:
    starts = list(accumulate(map(len, pieces), initial=0))[:-1]
    return Buffer(*pieces), np.array(starts, np.int64)


@given(st.lists(ANY_BYTES, max_size=4), st.integers(1, 5))
def test_a_buffer_is_read_at_any_place_and_beyond_its_end(parts: list[bytes], count: int) -> None:
    buffer, whole = Buffer(*parts), b"".join(parts)
    places = np.arange(len(whole) + Buffer.PADDING - 8 * count + 1)
    padded = whole + bytes(Buffer.PADDING)
    assert buffer.data == padded
    assert buffer.words_at(places, count).tolist() == [
        [int.from_bytes(padded[at + 8 * n : at + 8 * n + 8], "little") for n in range(count)]
        for at in places.tolist()
    ]
    assert buffer.bytes_at(places).tolist() == list(padded[: len(places)])
    assert buffer.words_at(places[:0], count).shape == (0, count)


@pytest.mark.parametrize("size", [1, 2, 7, 8, 9, 15, 16, 17, 24, 27])
def test_a_literal_is_found_where_it_stands_and_nowhere_else(size: int) -> None:
    text = bytes(range(65, 65 + size))
    almost = [
        text[:at] + bytes([text[at] ^ bit]) + text[at + 1 :]
        for at in range(size)
        for bit in (1, 0x20, 0x80)
    ]
    buffer, starts = put_together([text, *almost, text, b"", text[:-1], b"z", text])
    literal = Literal(text)
    assert literal.size == size
    expected = [bytes(buffer.data[at : at + size]) == text for at in starts.tolist()]
    assert literal.at(buffer, starts).tolist() == expected
    assert sum(expected) >= 3
    assert not literal.at(buffer, np.array([len(buffer.data) - Buffer.PADDING])).any()
    assert literal.at(buffer, starts[:0]).tolist() == []


@given(st.lists(EIGHT_BYTES, min_size=1, max_size=20))
def test_marks_stand_at_the_first_byte_that_is_not_as_wanted(rows: list[bytes]) -> None:
    words = words_of(rows)

    def first(unwanted: bytes) -> list[int]:
        return [next((n for n, byte in enumerate(row) if byte in unwanted), 8) for row in rows]

    def not_in(pattern: bytes) -> bytes:
        return bytes(byte for byte in range(256) if not re.match(pattern, bytes([byte])))

    assert bytes_below(no_text(words)).tolist() == first(not_in(rb'[\x20-\x7f](?<!["\\])'))
    assert bytes_below(not_digits(words)).tolist() == first(not_in(rb"[0-9]"))
    assert ((no_text(words) | not_digits(words)) & ~np.uint64(0x8080808080808080) == 0).all()


def test_every_byte_is_plain_text_or_a_digit_or_not() -> None:
    for place in range(8):
        for filling in (b"a", b"0"):
            rows = [filling * place + bytes([byte]) + filling * (7 - place) for byte in range(256)]
            plain = [0x20 <= byte < 0x80 and byte not in b'"\\' for byte in range(256)]
            assert (bytes_below(no_text(words_of(rows))) == np.where(plain, 8, place)).all()
        digits = [byte in b"0123456789" for byte in range(256)]
        assert (bytes_below(not_digits(words_of(rows))) == np.where(digits, 8, place)).all()


@given(
    st.lists(
        st.tuples(
            st.integers(0, 150) | st.sampled_from([0, 7, 8, 15, 16, 39, 40, 127, 128, 129, 136]),
            st.sampled_from([*(bytes([byte]) for byte in b'"\\\0\n\x1f\x80\xff'), b'\\"', b""]),
        ),
        min_size=1,
        max_size=6,
    ),
    st.integers(1, 6),
    st.sampled_from([0, 8, 40, 128]),
)
def test_texts_end_where_plain_text_does(
    rows: list[tuple[int, bytes]], words: int, most: int
) -> None:
    buffer, starts = put_together([b"x" * length + end for length, end in rows])
    ends = text_ends(buffer, starts, words, most).tolist()
    for start, end in zip(starts.tolist(), ends, strict=True):
        match = re.match(rb"[ !#-\[\]-\x7f]*", buffer.data[start:])
        assert match is not None
        length = match.end()
        if length <= most:
            assert end == start + length
        else:
            assert most < end - start <= max(most + 8, 8 * words), "it gave up"
            assert end - start <= length


def test_no_texts() -> None:
    none = np.zeros(0, np.int64)
    assert text_ends(Buffer(b"text"), none, 2, 128).tolist() == []
    assert [column.tolist() for column in whole_numbers(Buffer(b"1"), none)] == [[], [], []]


@given(st.lists(ANY_BYTES, min_size=1, max_size=6))
def test_texts_are_rows_filled_up_with_zeros(rows: list[bytes]) -> None:
    buffer, starts = put_together([piece for row in rows for piece in (row, b"\xff" * 9)])
    words = texts(buffer, starts[::2], np.array([len(row) for row in rows], np.int64))
    assert words.shape == (len(rows), max(1, *(-(-len(row) // 8) for row in rows), 0))
    size = 8 * words.shape[1]
    assert [row.tobytes() for row in words.astype("<u8")] == [r.ljust(size, b"\0") for r in rows]


@given(st.lists(st.integers(0, 10**8 - 1), min_size=1))
def test_eight_digits(numbers: list[int]) -> None:
    words = words_of([f"{number:08}".encode() for number in numbers])
    assert eight_digits(words).tolist() == numbers
    pairs = digit_pairs(words)
    for place in range(4):
        quarter = (pairs >> np.uint64(16 * place)) & np.uint64(0xFFFF)
        assert quarter.tolist() == [int(f"{n:08}"[2 * place : 2 * place + 2]) for n in numbers]


NUMBERS: list[Any] = [
    *(b"0", b"00", b"01", b"0a", b"1", b"9", b"10", b"007", b"1234567", b"12345678", b"0000000"),
    *(b"", b"-1", b"-0", b"+1", b" 1", b"a1", b"1a", b"1.0", b"1e3", b"/", b":", b"1/", b"1:"),
    *(b"\xb5", b"1\xb5", b"1\xff2", b"\x001", b"1\x002", b"9999999\xff", b"99999999", b"0123456"),
]


@given(st.lists(ANY_BYTES | st.sampled_from(NUMBERS) | st.integers(0, 10**9), min_size=1))
def test_whole_numbers(rows: list[bytes | int]) -> None:
    written = [str(row).encode() if isinstance(row, int) else row for row in rows]
    check_whole_numbers([row + b"," for row in written])


@pytest.mark.parametrize("following", [b",", b"}", b"", b"x", b"\0", b"\x80"])
def test_every_kind_of_whole_number(following: bytes) -> None:
    check_whole_numbers([number + following for number in NUMBERS])
    for number in NUMBERS:
        check_whole_numbers([number + following])


def check_whole_numbers(rows: list[bytes]) -> None:
    buffer, starts = put_together(rows)
    numbers, ends, good = whole_numbers(buffer, starts)
    for row, start in enumerate(starts.tolist()):
        digits = re.match(rb"[0-9]*", buffer.data[start:])
        assert digits is not None
        text = digits.group()
        assert good[row] == bool(re.fullmatch(rb"0|[1-9][0-9]{0,6}", text)), rows[row]
        if good[row]:
            assert (int(numbers[row]), int(ends[row])) == (int(text), start + len(text))


def test_masks_of_first_bytes() -> None:
    assert [mask.tobytes() for mask in FIRST_BYTES.astype("<u8")] == [
        b"\xff" * count + bytes(8 - count) for count in range(9)
    ]


def test_records_with_finer_times_are_never_missed() -> None:
    plain = b'{"time":"2026-03-15T12:00:00.123456Z","model":"gpt-4.1"}'
    for size in (1, 2, 1500, 3000):
        records = [plain] * size
        assert not may_have_finer_times(records)
        for place in {0, size // 2, size - 1}:
            finer = [*records]
            finer[place] = plain.replace(b"456Z", b"4567Z")
            assert may_have_finer_times(finer)
    assert may_have_finer_times([plain.replace(b"5", b"\\u0035")])
    assert not may_have_finer_times([])
    assert not may_have_finer_times([b".12"])


@pytest.mark.parametrize("words", [1, 2, 5])
def test_a_text_of_any_length_ends_where_it_does(words: int) -> None:
    """One longer than the most is not read to its end, but never taken for one that fits."""
    most = 128
    buffer, starts = put_together([b"x" * length + b'"' for length in range(most + 40)])
    lengths = (text_ends(buffer, starts, words, most) - starts).tolist()
    assert lengths[: most + 1] == list(range(most + 1))
    assert all(most < length <= most + 8 for length in lengths[most + 1 :])


def test_finer_times_are_found_wherever_a_piece_of_the_text_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(byte_spans, "_PIECE_BYTES", 16)
    for place in range(40):
        assert may_have_finer_times([b"x" * place + b".1234567Z"]) is True
        assert may_have_finer_times([b"x" * place + b".123456Z0"]) is False


def test_what_lies_behind_a_text_is_no_part_of_it() -> None:
    for length in range(1, 18):
        words = texts(Buffer(b"\xff" * 40), np.array([0, 0]), np.array([length, 17]))
        assert words[0].astype("<u8").tobytes() == b"\xff" * length + bytes(24 - length)
