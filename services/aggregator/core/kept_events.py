"""PURE. Events that count and are kept whole: debits and credits, and usage that was belated.

Slices have them as sums. Who is billed wants to know what was corrected, and why; who compares two
settlements of a month, which gateway's late events changed it. So each is kept beside the slices,
under its place on the log, and written before the checkpoint that it lies below. Like a dead letter
it is a function of the log alone, and writing it again changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from schemas.metering_rules import HOUR_MS, MeteringRules
from schemas.wire import UncheckedEvent, decode_unchecked
from services.aggregator.arrays.byte_spans import Flags
from services.aggregator.arrays.key_index import Ints
from services.aggregator.core.judging import Columns, Records
from services.aggregator.core.windows import HOUR

#: So long after its month has ended an event of it is belated. A constant, and no metering rule: a
#: settlement counts on it, and is made a day after the month at the soonest.
BELATED_AFTER_MS: Final = HOUR_MS
#: What an event takes in memory besides its texts.
_EVENT_BYTES: Final = 1000


@dataclass(frozen=True, slots=True)
class MeteredEvent:
    """An event, and as what it counts: the numbers of its series and price class."""

    offset: int
    append_ms: int
    series: int
    price_class: int
    event: UncheckedEvent


def metered_events(
    records: Records, columns: Columns, classes: Ints, wanted: Flags, rules: MeteringRules
) -> list[MeteredEvent]:
    """Those wanted among events that count, in the order of the log.

    ``columns`` are as they are added to slices; ``classes`` and ``wanted`` are parallel to them.
    What the hours leave out, as their retention has it, is left out here too.
    """
    found = []
    for number in np.flatnonzero(wanted).tolist():
        offset, append_ms = int(columns.offsets[number]), int(columns.append_ms[number])
        window = HOUR.window_number(int(columns.seconds[number]) * 1000)
        if window < HOUR.metered_from(append_ms, rules):
            continue
        value = records.values[int(np.searchsorted(records.offsets, offset))]
        event = decode_unchecked(value or b"")
        series, price_class = int(columns.series[number]), int(classes[number])
        found.append(MeteredEvent(offset, append_ms, series, price_class, event))
    return found


def belated(columns: Columns) -> Flags:
    """Say which events were appended more than an hour after their month (UTC) had ended."""
    late: Flags = columns.append_ms - 1000 * columns.seconds > BELATED_AFTER_MS
    if late.any():
        # Only of these: what comes in time is all but everything.
        months = columns.seconds[late].astype("datetime64[s]").astype("datetime64[M]")
        end_s = (months + 1).astype("datetime64[s]").astype(np.int64)
        late[late] = columns.append_ms[late] - 1000 * end_s > BELATED_AFTER_MS
    return late


class UnwrittenEvents:
    """Events of one kind and partition that no snapshot has taken yet."""

    __slots__ = ("_found", "held_bytes")

    def __init__(self) -> None:
        self._found: list[MeteredEvent] = []
        #: About how much memory they take.
        self.held_bytes = 0

    def __len__(self) -> int:
        return len(self._found)

    def add(self, found: list[MeteredEvent]) -> None:
        """Take some more."""
        self._found += found
        for one in found:
            texts = (one.event.id, one.event.adjusts or "", one.event.reason or "")
            self.held_bytes += _EVENT_BYTES + sum(map(len, texts))

    def take(self) -> list[MeteredEvent]:
        """Hand over all of them."""
        taken, self._found, self.held_bytes = self._found, [], 0
        return taken
