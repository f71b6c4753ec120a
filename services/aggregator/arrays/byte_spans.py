"""Reading many places of a buffer at once, eight bytes at a time.

NumPy calls cost about a microsecond each, whatever they do; a call for each field of thousands of
records is nothing, a call for each record is much. So a place in the text is a row, and all rows
take the same step together. Within a row eight bytes are one integer, and the tests on them are
those of S. E. Anderson's Bit Twiddling Hacks ("Determine if a word has a zero byte").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.aggregator.arrays.key_index import Ints

Words = NDArray[np.uint64]
Flags = NDArray[np.bool_]

WORD: Final = 8
_LITTLE: Final = np.dtype("<u8")
_ONES: Final = np.uint64(0x0101010101010101)
_HIGH_BITS: Final = np.uint64(0x8080808080808080)
_QUOTES: Final = np.uint64(int.from_bytes(b'"' * WORD, "little"))
_BACKSLASHES: Final = np.uint64(int.from_bytes(b"\\" * WORD, "little"))
_SPACES: Final = np.uint64(int.from_bytes(b" " * WORD, "little"))
ZERO_DIGITS: Final = np.uint64(int.from_bytes(b"0" * WORD, "little"))
#: Added to a byte, it sets the high bit of all that lies above "9".
_ABOVE_NINE: Final = np.uint64(0x4646464646464646)
_LOW_NIBBLES: Final = np.uint64(0x0F0F0F0F0F0F0F0F)
_PAIRS: Final = np.uint64(0x00FF00FF00FF00FF)
_FOURS: Final = np.uint64(0x0000FFFF0000FFFF)
#: By number of bytes: a mask of the first so many bytes of a word.
FIRST_BYTES: Final = np.array([(1 << 8 * count) - 1 for count in range(WORD + 1)], np.uint64)


class Buffer:
    """Bytes to be read at many places; past the end there are `PADDING` zeros."""

    PADDING: Final = 1024

    def __init__(self, *parts: bytes) -> None:
        self.data = b"".join((*parts, bytes(self.PADDING)))
        self.array = np.frombuffer(self.data, np.uint8)

    def bytes_at(self, places: Ints) -> NDArray[np.uint8]:
        """The byte at each place."""
        return self.array[places]

    def words_at(self, places: Ints, count: int = 1) -> Words:
        """So many words from each place on, shape (places, count); places need no alignment."""
        # One copy for each place: a good deal faster than one for each of its words.
        spans = np.ndarray(
            (len(self.data) - WORD * count + 1,), f"V{WORD * count}", self.data, strides=(1,)
        )
        return spans[places].view(_LITTLE).reshape(-1, count)


class Literal:
    """A text that is looked for at many places at once."""

    def __init__(self, text: bytes) -> None:
        self.text, self.size = text, len(text)
        self._words = [
            (
                np.uint64(int.from_bytes(text[start : start + WORD], "little")),
                FIRST_BYTES[min(WORD, self.size - start)],
            )
            for start in range(0, self.size, WORD)
        ]

    def at(self, buffer: Buffer, places: Ints) -> Flags:
        """Say where it stands."""
        found = np.ones(len(places), np.bool_)
        rows = buffer.words_at(places, len(self._words))
        for number, (word, mask) in enumerate(self._words):
            column = rows[:, number]
            found &= (column if mask == FIRST_BYTES[WORD] else column & mask) == word
        return found


#: A point, and where the seventh digit behind it stands.
_POINT, _SEVENTH, _ZERO = np.uint8(ord(".")), 7, np.uint8(ord("0"))
#: How a digit or a point may be written as well.
_ESCAPED: Final = b"\\u00"
_PIECE_BYTES: Final = 64 * 1024


def may_have_finer_times(records: Sequence[bytes]) -> bool:
    """Say whether any record may have a fraction of a second of more than six digits.

    True for some that have none, such as those with a point in a model's name before a digit.
    """
    joined = b"".join(records)
    if _ESCAPED in joined:
        return True
    text = np.frombuffer(joined, np.uint8)
    # In pieces: what one step leaves behind is still in the cache for the next.
    for start in range(0, len(text), _PIECE_BYTES):
        piece = text[start : start + _PIECE_BYTES + _SEVENTH]
        if np.any((piece[:-_SEVENTH] == _POINT) & (piece[_SEVENTH:] - _ZERO < 10)):
            return True
    return False


def bytes_below(lowest: Words) -> Ints:
    """How many whole bytes lie below the lowest set bit of each word, all being high bits of bytes.

    8 for a word that has none.
    """
    alone = (lowest & (~lowest + np.uint64(1))) >> np.uint64(7)
    return ((((alone - np.uint64(1)) & _ONES) * _ONES) >> np.uint64(56)).view(np.int64)


def no_text(words: Words) -> Words:
    """Mark the first byte of each word that is no plain text, by its high bit; 0 where all are.

    Plain text is ASCII without control characters, quotes and backslashes: what stands for itself
    in a JSON string. Bytes above the first may be marked as well.
    """
    quotes, backslashes = words ^ _QUOTES, words ^ _BACKSLASHES
    marked = (quotes - _ONES) & ~quotes
    marked |= (backslashes - _ONES) & ~backslashes
    marked |= (words - _SPACES) & ~words
    marked |= words
    marked &= _HIGH_BITS
    return marked


def text_ends(buffer: Buffer, places: Ints, words: int, most: int) -> Ints:
    """Where the plain text from each place on ends.

    ``words`` is how many are looked at first, best as many as texts mostly have. After ``most``
    bytes it gives up at some byte beyond.
    """
    marks = no_text(buffer.words_at(places, words))
    mark, skipped = marks[:, -1], np.full(len(places), WORD * (words - 1))
    for number in reversed(range(words - 1)):
        here = marks[:, number] != 0
        mark = np.where(here, marks[:, number], mark)
        skipped[here] = WORD * number
    ends = places + skipped
    going_on = np.flatnonzero(mark == 0)
    for _ in range(WORD * words, most + 1, WORD):
        if not len(going_on):
            break
        ends[going_on] += WORD
        further = no_text(buffer.words_at(ends[going_on])[:, 0])
        mark[going_on] = further
        going_on = going_on[further == 0]
    found: Ints = ends + bytes_below(mark)
    return found


def texts(buffer: Buffer, starts: Ints, lengths: Ints) -> Words:
    """Texts as rows of words, filled up with zero bytes."""
    count = max(1, -(-int(lengths.max()) // WORD))
    words = buffer.words_at(starts, count)
    shortest = int(lengths.min())
    for number in range(shortest // WORD, count):
        words[:, number] &= FIRST_BYTES[np.clip(lengths - WORD * number, 0, WORD)]
    return words


def not_digits(words: Words) -> Words:
    """Mark the first byte of each word that is no digit, by its high bit; 0 where all are."""
    marked: Words = ((words + _ABOVE_NINE) | (words - ZERO_DIGITS)) & _HIGH_BITS
    return marked


def whole_numbers(buffer: Buffer, places: Ints) -> tuple[Ints, Ints, Flags]:
    """Read a JSON integer of one to seven digits at each place: numbers, ends, and which are."""
    words = buffer.words_at(places)[:, 0]
    marks = not_digits(words)
    digits = bytes_below(marks)
    leading_zero = (words & np.uint64(0xFF)) == np.uint64(ord("0"))
    good = (marks != 0) & (digits > 0) & ((digits == 1) | ~leading_zero)
    # The last digit goes to the highest byte, zeros before the first.
    shifts = (np.uint64(64) - digits.astype(np.uint64) * np.uint64(8)) & np.uint64(63)
    return eight_digits((words & _LOW_NIBBLES) << shifts), places + digits, good


def digit_pairs(words: Words) -> Words:
    """The numbers that two neighbouring digits make, in the four 16-bit quarters of each word."""
    return ((words & _LOW_NIBBLES) * np.uint64(2561) >> np.uint64(8)) & _PAIRS


def eight_digits(words: Words) -> Ints:
    """The number that the eight digits of each word make, the first byte's digit first.

    Pairs of digits, then fours, then all (D. Lemire, "Quickly parsing eight digits").
    """
    fours = (digit_pairs(words) * np.uint64(6553601)) >> np.uint64(16)
    return ((fours & _FOURS) * np.uint64(42949672960001) >> np.uint64(32)).view(np.int64)
