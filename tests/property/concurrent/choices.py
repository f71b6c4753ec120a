"""Where a schedule's choices come from: bytes that hypothesis draws, each read as a choice.

0 is always the orderly choice (no fault, the first option, the oldest task), and so are all the
bytes that are not there: a shorter schedule with smaller bytes is a simpler one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

BYTE_END = 256


class Choices:
    """Reads choices from bytes, one byte each."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """How many bytes were not read yet."""
        return max(0, len(self._data) - self._at)

    def byte(self) -> int:
        """The next byte; 0 beyond the last."""
        at, self._at = self._at, self._at + 1
        return self._data[at] if at < len(self._data) else 0

    def below(self, end: int) -> int:
        """A number from 0 to below ``end``."""
        return self.byte() % end if end > 1 else 0

    def chance(self, of_256: int) -> bool:
        """True in so many of 256 cases. Reads nothing where there is no chance."""
        return of_256 > 0 and self.byte() >= BYTE_END - of_256

    def pick(self, options: Sequence[T]) -> T:
        """One of these, all as likely."""
        return options[self.below(len(options))]

    def weighted(self, table: Sequence[T]) -> T:
        """One of these, as likely as its share of a `weighted_table`."""
        return table[self.byte()]


def weighted_table(options: Sequence[tuple[int, T]]) -> list[T]:
    """A table of `BYTE_END` places of which each option has as many as its weight's share."""
    whole, upto = sum(weight for weight, _ in options), 0
    table: list[T] = []
    for weight, option in options:
        upto += weight
        table += [option] * (upto * BYTE_END // whole - len(table))
    return table
