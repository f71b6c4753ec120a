"""Rubbish fills neither memory nor disk, and what was refused is known all the same."""

from __future__ import annotations

from schemas.metering_rules import DAY_MS
from services.aggregator.core import dead_letters
from services.aggregator.core.dead_letters import DAY_BYTES_MAX, DeadLetter, UnwrittenLetters


def letter(offset: int, payload: bytes, append_ms: int = 0) -> DeadLetter:
    return DeadLetter(offset, append_ms, "invalid_json", "no JSON", payload, len(payload))


def test_payloads_are_kept_up_to_the_days_quota_and_letters_beyond_it() -> None:
    held = UnwrittenLetters()
    size = DAY_BYTES_MAX // 4
    for offset in range(6):
        held.add(letter(offset, b"x" * size))
    held.add(letter(6, b"the next day", DAY_MS))
    taken = held.take()
    assert [len(one.payload) for one in taken] == [size] * 4 + [0, 0, 12]
    assert [one.payload_bytes for one in taken] == [size] * 6 + [12]
    assert [one.offset for one in taken] == list(range(7))


def test_a_flush_does_not_renew_the_quota() -> None:
    held = UnwrittenLetters()
    held.add(letter(0, b"x" * DAY_BYTES_MAX))
    held.take()
    held.add(letter(1, b"x"))
    assert held.take()[0].payload == b""


def test_memory_is_counted_and_given_back() -> None:
    held = UnwrittenLetters()
    for offset in range(100):
        held.add(letter(offset, b"x" * dead_letters.PAYLOAD_BYTES_MAX))
    assert held.held_bytes > 100 * dead_letters.PAYLOAD_BYTES_MAX
    # What documents and the table's own bound say.
    assert dead_letters.PAYLOAD_BYTES_MAX == 8192
    assert (len(held), len(held.take())) == (100, 100)
    assert (len(held), held.held_bytes) == (0, 0)


def test_the_quota_is_used_to_its_last_byte_and_anew_each_day() -> None:
    held = UnwrittenLetters()
    for offset, (size, append_ms) in enumerate(
        [
            (DAY_BYTES_MAX - 1, 0),
            (1, DAY_MS - 1),
            (1, DAY_MS - 1),
            (DAY_BYTES_MAX, DAY_MS),
            (1, 2 * DAY_MS),
        ]
    ):
        held.add(letter(offset, b"x" * size, append_ms))
    sizes = [len(one.payload) for one in held.take()]
    assert sizes == [DAY_BYTES_MAX - 1, 1, 0, DAY_BYTES_MAX, 1]
    # What documents and the table's comment say.
    assert DAY_BYTES_MAX == 64 * 2**20


def test_memory_is_counted_with_what_is_said_of_a_letter() -> None:
    """Also of one without its payload: many of them take memory, too."""
    held, other = UnwrittenLetters(), UnwrittenLetters()
    held.add(DeadLetter(0, 0, "invalid_json", "", b"", 0))
    alone = held.held_bytes
    assert alone > 0
    other.add(DeadLetter(0, 0, "invalid_json", "e" * 50, b"p" * 7, 7))
    assert other.held_bytes == alone + 57
    other.add(DeadLetter(1, 0, "invalid_json", "", b"", 0))
    assert other.held_bytes == 2 * alone + 57
