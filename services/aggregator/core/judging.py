"""From the records of one partition batch to columns of valid events: judged by the time rules.

All columns are parallel: the n-th entry of each is about the n-th valid event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.event_rules import (
    COUNTED_TWICE,
    PRICED_APART,
    SUBSETS,
    TIME_MAX,
    TIME_MIN,
    USUAL_SUBSETS,
)
from schemas.measures import INPUT, MEASURES, USUAL
from schemas.metering_rules import MeteringRules
from schemas.wire import decode_unchecked, problem
from services.aggregator.arrays.byte_spans import Words
from services.aggregator.arrays.key_index import Ints
from services.aggregator.core.dead_letters import PAYLOAD_BYTES_MAX, DeadLetter
from services.aggregator.core.timing import EPOCH, epoch_ms, rejection
from services.aggregator.decoding.columns import Decoded

TIME_MS_MIN: Final = epoch_ms(TIME_MIN)
TIME_MS_END: Final = epoch_ms(TIME_MAX)
#: Where a measure is in a row.
PLACE: Final = {name: place for place, name in enumerate(MEASURES)}


@dataclass(frozen=True, slots=True)
class Records:
    """Raw records of one partition, offsets ascending; the three sequences are parallel."""

    offsets: Ints
    append_ms: Ints
    values: Sequence[bytes | None]

    def __len__(self) -> int:
        return len(self.values)

    def cut(self, start: int, end: int) -> Records:
        """The records of an index range."""
        if start == 0 and end == len(self.values):
            return self
        return Records(self.offsets[start:end], self.append_ms[start:end], self.values[start:end])


@dataclass(frozen=True, slots=True)
class Columns:
    """Events of a batch.

    `log_ms` is their log time; `seconds` counts from 1970; the others are as in `Decoded`.
    """

    offsets: Ints
    append_ms: Ints
    log_ms: Ints
    seconds: Ints
    tenants: Ints
    series: Ints
    tiers: Ints
    identities: Words
    measures: Ints
    units: Ints

    def __len__(self) -> int:
        return len(self.identities)

    def only(self, wanted: NDArray[np.bool_]) -> Columns:
        """The events that are wanted; as it is where all are."""
        return self if wanted.all() else self.at(np.flatnonzero(wanted))

    def at(self, events: Ints) -> Columns:
        """The events with these indexes."""
        return Columns(
            self.offsets[events],
            self.append_ms[events],
            self.log_ms[events],
            self.seconds[events],
            self.tenants[events],
            self.series[events],
            self.tiers[events],
            self.identities[events],
            self.measures[events],
            self.units[events],
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a stretch of records before dedup: valid events, and dead letters.

    `late` and `adjusting` (debits and credits) are about the events.
    """

    columns: Columns
    late: NDArray[np.bool_]
    adjusting: NDArray[np.bool_]
    newest_event_ms: int
    dead_letters: list[DeadLetter]


def judge(records: Records, log_ms: Ints, decoded: Decoded, rules: MeteringRules) -> Judged:
    """Apply the time rules to records that were decoded, and refuse what contradicts itself.

    ``log_ms`` is the log time of each record.
    """
    letters = {
        failure.index: dead_letter(records, failure.index, failure.code, failure.message)
        for failure in decoded.failures
    }
    append_ms, log_ms = records.append_ms[decoded.places], log_ms[decoded.places]
    time_ms = decoded.time_us // 1000
    good = np.ones(len(decoded.places), np.bool_)
    for number in np.flatnonzero(doubtful(decoded, time_ms, append_ms, log_ms, rules)).tolist():
        index = int(decoded.places[number])
        times = int(append_ms[number]), int(log_ms[number])
        refused = refusal(records.values[index] or b"", *times, rules)
        if refused is not None:
            letters[index] = dead_letter(records, index, *refused)
            good[number] = False
    columns = Columns(
        records.offsets[decoded.places],
        append_ms,
        log_ms,
        decoded.time_us // 1_000_000,
        decoded.tenants,
        decoded.series,
        decoded.tiers,
        decoded.identities,
        decoded.measures,
        decoded.units,
    )
    return Judged(
        columns=columns.only(good),
        late=(time_ms < append_ms - rules.late_after_ms)[good],
        adjusting=decoded.adjusting[good],
        newest_event_ms=int(time_ms[good].max(initial=0)),
        dead_letters=[letters[index] for index in sorted(letters)],
    )


def doubtful(
    decoded: Decoded, time_ms: Ints, append_ms: Ints, log_ms: Ints, rules: MeteringRules
) -> NDArray[np.bool_]:
    """Say which events `refusal` has to look at; it would refuse none of the others."""
    doubt: NDArray[np.bool_] = (
        decoded.adjusting
        | (append_ms - time_ms > rules.too_old_ms)
        | (time_ms - log_ms > rules.too_new_ms)
        | (time_ms < TIME_MS_MIN)
        | (time_ms >= TIME_MS_END)
        | contradictory(decoded.measures)
    )
    return doubt


def contradictory(measures: Ints) -> NDArray[np.bool_]:
    """Say whose tokens contradict one another, as `schemas.event_rules` has it."""

    def summed(names: Sequence[str]) -> Ints:
        return sum([measures[:, PLACE[name]] for name in names if PLACE[name] < width], start=none)

    width = measures.shape[1]
    none = np.zeros(len(measures), np.int64)
    few = width <= USUAL
    found = np.zeros(len(measures), np.bool_)
    for parts, total in USUAL_SUBSETS if few else SUBSETS:
        found |= summed(parts) > measures[:, PLACE[total]]
    if not few:
        found |= summed(PRICED_APART) - summed(COUNTED_TWICE) > measures[:, INPUT]
    return found


def refusal(
    value: bytes, append_ms: int, log_ms: int, rules: MeteringRules
) -> tuple[str, str] | None:
    """Say why a record that is an event is refused, as reason and error, or None."""
    event = decode_unchecked(value)
    message = problem(event)
    if message is not None:
        return "invalid_event", message
    reason = rejection(epoch_ms(event.time), append_ms, log_ms, rules)
    if reason is None:
        return None
    return reason, f"event time {event.time.isoformat()}, append time {moment(append_ms)}"


def moment(time_ms: int) -> datetime:
    """A UTC datetime from milliseconds since 1970, exact."""
    return EPOCH + timedelta(milliseconds=time_ms)


def dead_letter(records: Records, index: int, reason: str, error: str) -> DeadLetter:
    """Make the dead letter of a record; the payload is cut, its true length kept."""
    payload = records.values[index] or b""
    return DeadLetter(
        int(records.offsets[index]),
        int(records.append_ms[index]),
        reason,
        error,
        payload[:PAYLOAD_BYTES_MAX],
        len(payload),
    )
