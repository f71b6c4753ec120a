"""Where records begin: guessed for all at once, it is what their lengths say, or nothing."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.arrays.byte_spans import Buffer
from services.aggregator.decoding.record_starts import starts_at_once, starts_in_turn

EVENT = b'{"id":"e","input_tokens":5}'
#: What looks like the end of an event, and of the record that holds it.
END = b"}\0"


def zigzag(number: int) -> bytes:
    """Encode as the format has it: zigzag, then seven bits a byte, the lowest first."""
    number = (number << 1) ^ (number >> 63)
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


def record(value: bytes = EVENT, key: bytes = b"", headers: bytes = b"\0") -> bytes:
    """A record, its length before it."""
    body = b"\0\0\0" + zigzag(len(key)) + key + zigzag(len(value)) + value + headers
    return zigzag(len(body)) + body


def at_once(*payloads: bytes, counts: list[int] | None = None) -> list[int] | None:
    """Where the records of batches begin, found for all at once."""
    if counts is None:
        counts = [len(starts_in_turn(payload, 0)) for payload in payloads]
    found = starts_at_once(Buffer(*payloads), payloads, counts)
    return None if found is None else found.tolist()


def in_turn(*payloads: bytes) -> list[int]:
    """The same, found step by step."""
    shifts = accumulate(map(len, payloads), initial=0)
    return [
        place
        for payload, shift in zip(payloads, shifts, strict=False)
        for place in starts_in_turn(payload, shift)
    ]


@given(st.lists(st.sampled_from([1, 63, 64, 200, 8191, 8192, 20_000]), max_size=8))
def test_each_length_says_where_the_next_record_begins(lengths: list[int]) -> None:
    payload, expected = b"", []
    for length in lengths:
        payload += zigzag(length)
        expected.append(len(payload) + 7)
        payload += bytes(length)
    assert starts_in_turn(payload, 7) == expected


#: Keys and values of real records and of those that mislead.
PIECES = st.lists(
    st.sampled_from([b"", EVENT, END, b"}", b"\0", b"a" * 70, b"\x80", b"\xff" * 9, END * 3]),
    max_size=3,
).map(b"".join)
RECORDS = st.builds(record, st.just(EVENT) | PIECES, PIECES, st.sampled_from([b"\0", b"\2\2h\2}"]))


@given(st.lists(st.lists(RECORDS, max_size=6).map(b"".join), max_size=4))
def test_all_at_once_they_are_found_where_their_lengths_say_or_not_at_all(
    payloads: list[bytes],
) -> None:
    assert at_once(*payloads) in (None, in_turn(*payloads))


@given(
    st.lists(st.lists(RECORDS, min_size=1, max_size=4).map(b"".join), min_size=1, max_size=3),
    st.data(),
)
def test_bytes_that_are_damaged_mislead_nobody(payloads: list[bytes], data: st.DataObject) -> None:
    batch = data.draw(st.integers(0, len(payloads) - 1))
    place = data.draw(st.integers(0, len(payloads[batch]) - 1))
    damaged = bytearray(payloads[batch])
    damaged[place] = data.draw(st.sampled_from([0, 1, 2, 0x7D, 0x7F, 0x80, 0xFF]))
    counts = [len(starts_in_turn(payload, 0)) for payload in payloads]
    payloads[batch] = bytes(damaged)
    try:
        expected = [starts_in_turn(payload, 0) for payload in payloads]
    except IndexError:
        expected = []
    if [len(found) for found in expected] == counts:
        assert at_once(*payloads, counts=counts) in (None, in_turn(*payloads))
    else:
        assert at_once(*payloads, counts=counts) is None


@given(
    st.lists(
        st.lists(
            st.sampled_from([b"", b"key", b"k" * 200, b"}", b"x}", b"\0"]), min_size=1, max_size=30
        ),
        min_size=1,
        max_size=4,
    )
)
def test_events_are_found_at_once(keys: list[list[bytes]]) -> None:
    payloads = [b"".join(record(key=key) for key in some) for some in keys]
    assert at_once(*payloads) == in_turn(*payloads)


@pytest.mark.parametrize("place", [0, 1, 7, 39])
def test_what_looks_like_an_end_within_a_key_is_left_out(place: int) -> None:
    keys = [b"k" * 16] * 40
    keys[place] = b"k" * 7 + END + b"k" * 7
    payload = b"".join(record(key=key) for key in keys)
    assert at_once(payload, payload) == in_turn(payload, payload)


def test_several_keys_that_mislead_are_left_out_together() -> None:
    payload = b"".join(
        record(key=(b"k" * 7 + END if number % 5 == 0 else b"k" * 9)) for number in range(200)
    )
    assert at_once(payload) == in_turn(payload)
    twice = record(key=END + b"kkk" + END) + record()
    assert at_once(twice * 3) == in_turn(twice * 3)


def test_records_of_other_ends_are_found_step_by_step() -> None:
    for other in (record(b"no event"), record(headers=b"\2\2h\2v"), record(b"x" * 8500 + b"}")):
        assert at_once(record() + other + record()) is None
    assert at_once() == at_once(b"") == []


def test_a_batch_without_records_is_between_others() -> None:
    payload = record() * 2
    for some in ((b"", payload), (payload, b"", payload), (payload, b"")):
        assert at_once(*some) == in_turn(*some)


def test_counts_are_held_to_what_is_there() -> None:
    payload = record() * 3
    assert at_once(payload, payload, counts=[3, 3]) is not None
    assert at_once(payload, payload, counts=[2, 4]) is None
    assert at_once(payload, payload, counts=[3, 2]) is None
    # A record that reaches into the next batch is none of either.
    whole = record() * 4
    cut = len(record()) + 3
    assert at_once(whole[:cut], whole[cut:], counts=[1, 3]) is None
    assert at_once(whole[:cut], whole[cut:], counts=[2, 2]) is None
