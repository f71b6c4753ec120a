"""PURE. Records that are not metered, and how much of them is kept.

Whoever may send rubbish must fill neither memory nor disk with it: a payload is cut, and a
partition keeps payloads up to a quota for each day. Reason, error and true length always stay.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from schemas.metering_rules import DAY_MS

#: A dead letter keeps at most this much of its record: several times what an event has.
PAYLOAD_BYTES_MAX: Final = 8 * 1024
#: So much is kept of the records of one partition and one day.
DAY_BYTES_MAX: Final = 64 * 1024 * 1024
#: What a letter takes in memory besides its payload and its error.
_LETTER_BYTES: Final = 300


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that is not metered, and why; its place on the log is its key."""

    offset: int
    append_ms: int
    reason: str
    error: str
    payload: bytes
    payload_bytes: int


class UnwrittenLetters:
    """The dead letters of one partition that no snapshot has taken yet."""

    __slots__ = ("_day", "_day_bytes", "_letters", "held_bytes")

    def __init__(self) -> None:
        self._letters: list[DeadLetter] = []
        self._day = 0
        self._day_bytes = 0
        #: About how much memory they take.
        self.held_bytes = 0

    def __len__(self) -> int:
        return len(self._letters)

    def add(self, letter: DeadLetter) -> None:
        """Take a letter, without its payload where the day's quota is used up."""
        day = letter.append_ms // DAY_MS
        if day != self._day:
            self._day, self._day_bytes = day, 0
        self._day_bytes += len(letter.payload)
        if self._day_bytes > DAY_BYTES_MAX:
            letter = replace(letter, payload=b"")
        self._letters.append(letter)
        self.held_bytes += _LETTER_BYTES + len(letter.error) + len(letter.payload)

    def take(self) -> list[DeadLetter]:
        """Hand over all of them."""
        taken, self._letters, self.held_bytes = self._letters, [], 0
        return taken
