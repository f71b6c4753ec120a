"""The senders' ledger: when each event happened, and what is known of its sends.

A few bytes an event, so that it stays in memory; what an event says is a function of its number
(`events.py`). Safe for several threads.
"""

from __future__ import annotations

import threading
from array import array
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

#: What is known of an event's sends; any of these may hold at once.
ACKNOWLEDGED: Final = 1
#: Sent, with no answer or none that says whether it was taken; so may be on the log.
UNKNOWN: Final = 2
#: Refused for good by ingest.
REFUSED: Final = 4
#: Part of a transaction that was aborted.
ABORTED: Final = 8

RECENT_EVENTS: Final = 2000


class EventName(NamedTuple):
    """Which event: its sender and its number there."""

    sender: int
    number: int


@dataclass(frozen=True, slots=True)
class Tally:
    """How many events there are, by what is known of them."""

    events: int
    acknowledged: int
    unknown: int
    refused: int
    aborted: int


class Ledger:
    """All events of a run."""

    def __init__(self, senders: int) -> None:
        self._lock = threading.Lock()
        self._times = [array("q") for _ in range(senders)]
        self._fates = [array("B") for _ in range(senders)]
        self._recent: deque[EventName] = deque(maxlen=RECENT_EVENTS)
        #: Events that the meter must refuse; dedup never sees those.
        self.refusable: set[EventName] = set()

    def begin(self, sender: int, time_ms: int, *, refusable: bool = False) -> EventName:
        """Note a new event before it is sent; it gets the sender's next number."""
        with self._lock:
            self._times[sender].append(time_ms)
            self._fates[sender].append(0)
            name = EventName(sender, len(self._times[sender]) - 1)
            if refusable:
                self.refusable.add(name)
            return name

    def next_number(self, sender: int) -> int:
        """The number that the sender's next event will get."""
        with self._lock:
            return len(self._times[sender])

    def time_ms(self, name: EventName) -> int:
        """When the event happened."""
        return self._times[name.sender][name.number]

    def note(self, name: EventName, fate: int) -> None:
        """Note what a send came to."""
        with self._lock:
            fates = self._fates[name.sender]
            if fate == ACKNOWLEDGED and not fates[name.number] & ACKNOWLEDGED:
                self._recent.append(name)
            fates[name.number] |= fate

    def fate(self, name: EventName) -> int:
        """All that is known of the event's sends."""
        return self._fates[name.sender][name.number]

    def knows(self, name: EventName) -> bool:
        """Whether there is such an event."""
        return name.sender < len(self._times) and name.number < len(self._times[name.sender])

    def recent(self) -> list[EventName]:
        """The events acknowledged last."""
        with self._lock:
            return list(self._recent)

    def events(self) -> Iterator[tuple[EventName, int]]:
        """All events with their fates; for when nothing is sent any more."""
        for sender, fates in enumerate(self._fates):
            for number, fate in enumerate(fates):
                yield EventName(sender, number), fate

    def tally(self) -> Tally:
        """Count the events."""
        fates = [fate for _, fate in self.events()]
        return Tally(
            len(fates),
            sum(bool(fate & ACKNOWLEDGED) for fate in fates),
            sum(fate & (ACKNOWLEDGED | UNKNOWN) == UNKNOWN for fate in fates),
            sum(fate == REFUSED for fate in fates),
            sum(fate == ABORTED for fate in fates),
        )
