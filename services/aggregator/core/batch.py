"""From the raw records of one partition batch to columns: decoded and judged by the time rules.

All columns are parallel: the n-th entry of each is about the n-th valid event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import compress
from operator import attrgetter
from typing import Final

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_128_digest

from schemas.metering_rules import MeteringRules
from schemas.wire import UncheckedEvent, decode_many, problem
from services.aggregator.core.labels import Labels
from services.aggregator.core.slices import MEASURES, Ints
from services.aggregator.core.timing import EPOCH, MILLISECOND, epoch_ms, rejection

#: A dead letter keeps at most this much of its record.
PAYLOAD_BYTES_MAX: Final = 64 * 1024
DAY_SECONDS: Final = 24 * 3600
SUBSETS: Final = (
    (3, attrgetter("cache_read_input_tokens")),
    (4, attrgetter("cache_write_input_tokens")),
    (6, attrgetter("reasoning_output_tokens")),
)


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
class DeadLetter:
    """A record that is not metered, and why; its place on the log is its key."""

    offset: int
    append_ms: int
    reason: str
    error: str
    payload: bytes
    payload_bytes: int


@dataclass(frozen=True, slots=True)
class Columns:
    """Events of a batch.

    `seconds` counts from 1970, `tenants` and `series` are numbers of `Labels`, `measures` has the
    shape (events, measures).
    """

    offsets: Ints
    append_ms: Ints
    seconds: Ints
    tenants: Ints
    series: Ints
    identities: list[bytes]
    measures: Ints

    def __len__(self) -> int:
        return len(self.identities)

    def only(self, wanted: NDArray[np.bool_]) -> Columns:
        """The events that are wanted; as it is where all are."""
        if wanted.all():
            return self
        return Columns(
            self.offsets[wanted],
            self.append_ms[wanted],
            self.seconds[wanted],
            self.tenants[wanted],
            self.series[wanted],
            list(compress(self.identities, wanted.tolist())),
            self.measures[wanted],
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a stretch of records before dedup: valid events, and dead letters."""

    columns: Columns
    late: NDArray[np.bool_]
    newest_event_ms: int
    dead_letters: list[DeadLetter]


def judge(records: Records, rules: MeteringRules, labels: Labels) -> Judged:
    """Decode the records, apply the time rules, and lay the valid events out as columns."""
    events, failures = decode_many([value or b"" for value in records.values])
    letters = {
        index: dead_letter(records, index, error.code, error.message)
        for index, error in failures.items()
    }
    places = np.arange(len(records))
    if failures:
        places = np.delete(places, list(failures))
    gaps = [event.time - EPOCH for event in events]
    columns = lay_out(events, gaps, records.offsets[places], records.append_ms[places], labels)
    good = np.ones(len(events), np.bool_)
    for number in np.flatnonzero(doubtful(events, columns, rules)).tolist():
        refused = refusal(events[number], int(columns.append_ms[number]), rules)
        if refused is not None:
            index = int(places[number])
            letters[index] = dead_letter(records, index, *refused)
            good[number] = False
    return Judged(
        columns=columns.only(good),
        late=late(gaps, columns, rules)[good],
        newest_event_ms=max(compress(gaps, good.tolist()), default=timedelta(0)) // MILLISECOND,
        dead_letters=[letters[index] for index in sorted(letters)],
    )


def doubtful(
    events: Sequence[UncheckedEvent], columns: Columns, rules: MeteringRules
) -> NDArray[np.bool_]:
    """Say which events `refusal` has to look at; it would refuse none of the others."""
    # Whole seconds: an event within a second of a limit is looked at too.
    age_ms = columns.append_ms - 1000 * columns.seconds
    rows = columns.measures
    doubt = (
        (age_ms >= rules.too_old_ms)
        | (age_ms <= 1000 - rules.too_new_ms)
        | (rows[:, 3] + rows[:, 4] > rows[:, 2])
        | (rows[:, 6] > rows[:, 5])
    )
    plain = ("usage", None, None)
    if (
        any([event.adjusts for event in events])
        or any([event.reason for event in events])
        or ({event.entry for event in events} - {"usage"})
    ):
        doubt |= np.array([(event.entry, event.adjusts, event.reason) != plain for event in events])
    return doubt


def refusal(event: UncheckedEvent, append_ms: int, rules: MeteringRules) -> tuple[str, str] | None:
    """Say why an event is refused, as reason and error, or None."""
    message = problem(event)
    if message is not None:
        return "invalid_event", message
    reason = rejection(epoch_ms(event.time), append_ms, rules)
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


def lay_out(
    events: Sequence[UncheckedEvent],
    gaps: Sequence[timedelta],
    offsets: Ints,
    append_ms: Ints,
    labels: Labels,
) -> Columns:
    """Lay events out as columns; ``gaps`` are their times since 1970."""
    gateways = labels.gateways_of(events)
    return Columns(
        offsets=offsets,
        append_ms=append_ms,
        # By attribute: dividing timedeltas takes more than twice as long.
        seconds=np.array([gap.days * DAY_SECONDS + gap.seconds for gap in gaps], np.int64),
        tenants=np.array([tenant for tenant, _ in gateways], np.int64),
        series=np.array(labels.series_of(events), np.int64),
        identities=[
            xxh3_128_digest(prefix + event.id)
            for (_, prefix), event in zip(gateways, events, strict=True)
        ],
        measures=measures(events),
    )


def late(gaps: Sequence[timedelta], columns: Columns, rules: MeteringRules) -> NDArray[np.bool_]:
    """Say which events were appended more than the rules' ``late_after_ms`` after their time."""
    limit_ms = columns.append_ms - rules.late_after_ms
    result: NDArray[np.bool_] = 1000 * columns.seconds < limit_ms
    # Whole seconds cannot tell for events in the very second of the limit.
    for number in np.flatnonzero(result & (1000 * columns.seconds + 1000 > limit_ms)).tolist():
        result[number] = gaps[number] // MILLISECOND < limit_ms[number]
    return result


def measures(events: Sequence[UncheckedEvent]) -> Ints:
    """What each event adds to its slices, a row each in the order of `MEASURES`."""
    rows = np.zeros((len(events), len(MEASURES)), np.int64)
    rows[:, 0] = 1
    failed = [event.status == "error" for event in events]
    if True in failed:
        rows[:, 1] = failed
    rows[:, 2] = [event.input_tokens for event in events]
    rows[:, 5] = [event.output_tokens for event in events]
    for column, get in SUBSETS:
        reported = list(map(get, events))
        if any(reported):
            rows[:, column] = [tokens or 0 for tokens in reported]
    estimated = [event.quality == "estimated" for event in events]
    if True in estimated:
        rows[:, 7] = np.where(estimated, rows[:, 2] + rows[:, 5], 0)
    return rows
