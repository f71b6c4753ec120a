"""From the raw records of one partition batch to columns: decoded and judged by the time rules.

All columns are parallel: the n-th entry of each is about the n-th valid event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_128_digest

from schemas.metering_rules import MeteringRules
from schemas.wire import UncheckedEvent, decode_many, problem
from services.aggregator.core.labels import Labels
from services.aggregator.core.slices import MEASURES, Ints
from services.aggregator.core.timing import EPOCH, epoch_ms, rejection

#: A dead letter keeps at most this much of its record.
PAYLOAD_BYTES_MAX: Final = 64 * 1024
MINUTES_A_DAY: Final = 24 * 60
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
    """Valid events of a batch.

    `minutes` counts from 1970, `tenant_series` and `series` are numbers of `Labels`, `measures`
    has the shape (events, measures).
    """

    offsets: Ints
    append_ms: Ints
    minutes: Ints
    late: NDArray[np.bool_]
    tenant_series: Ints
    series: Ints
    identities: list[bytes]
    measures: Ints
    newest_event_ms: int

    def __len__(self) -> int:
        return len(self.identities)


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a stretch of records before dedup."""

    columns: Columns | None
    dead_letters: list[DeadLetter]


def judge(records: Records, rules: MeteringRules, labels: Labels) -> Judged:
    """Decode the records, apply the time rules, and lay the valid events out as columns."""
    events, failures = decode_many([value or b"" for value in records.values])
    letters = {
        index: dead_letter(records, index, error.code, error.message)
        for index, error in failures.items()
    }
    kept: list[int] | None = None
    if failures:
        kept = [index for index in range(len(records)) if index not in failures]
    if events and not beyond_doubt(events, records, rules):
        events, kept = judge_singly(events, kept, records, rules, letters)
    dead_letters = [letters[index] for index in sorted(letters)]
    if not events:
        return Judged(None, dead_letters)
    places = slice(None) if kept is None else np.array(kept, np.int64)
    columns = lay_out(events, records.offsets[places], records.append_ms[places], rules, labels)
    return Judged(columns, dead_letters)


def beyond_doubt(events: Sequence[UncheckedEvent], records: Records, rules: MeteringRules) -> bool:
    """Whether one look at the whole batch shows that no event of it is to be refused.

    Within the time rules of every record, plain usage without subsets that could exceed.
    """
    times = [event.time for event in events]
    oldest_append = moment(int(records.append_ms.min()))
    newest_append = moment(int(records.append_ms.max()))
    if min(times) < newest_append - timedelta(milliseconds=rules.too_old_ms):
        return False
    if max(times) > oldest_append + timedelta(milliseconds=rules.too_new_ms):
        return False
    for event in events:
        if (
            event.cache_read_input_tokens
            or event.cache_write_input_tokens
            or event.reasoning_output_tokens
            or event.entry != "usage"
            or event.adjusts is not None
            or event.reason is not None
        ) and problem(event) is not None:
            return False
    return True


def judge_singly(
    events: Sequence[UncheckedEvent],
    places: Sequence[int] | None,
    records: Records,
    rules: MeteringRules,
    letters: dict[int, DeadLetter],
) -> tuple[list[UncheckedEvent], list[int]]:
    """Judge events one by one; the refused go to ``letters``, the others come back."""
    good: list[UncheckedEvent] = []
    kept: list[int] = []
    for index, event in zip(range(len(records)) if places is None else places, events, strict=True):
        message = problem(event)
        if message is not None:
            letters[index] = dead_letter(records, index, "invalid_event", message)
            continue
        append_ms = int(records.append_ms[index])
        reason = rejection(epoch_ms(event.time), append_ms, rules)
        if reason is not None:
            message = f"event time {event.time.isoformat()}, append time {moment(append_ms)}"
            letters[index] = dead_letter(records, index, reason, message)
            continue
        good.append(event)
        kept.append(index)
    return good, kept


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
    offsets: Ints,
    append_ms: Ints,
    rules: MeteringRules,
    numbers: Labels,
) -> Columns:
    """Lay valid events out as columns."""
    known = numbers.number_events(events)
    since_epoch = [event.time - EPOCH for event in events]
    # Whole minutes by attribute: dividing timedeltas takes more than twice as long.
    minutes = [gap.days * MINUTES_A_DAY + gap.seconds // 60 for gap in since_epoch]
    newest = max(since_epoch)
    return Columns(
        offsets=offsets,
        append_ms=append_ms,
        minutes=np.array(minutes, np.int64),
        late=late(since_epoch, append_ms, rules),
        tenant_series=np.array([labels.tenant_series for labels in known], np.int64),
        series=np.array([labels.series for labels in known], np.int64),
        identities=[
            xxh3_128_digest(labels.identity_prefix + event.id)
            for labels, event in zip(known, events, strict=True)
        ],
        measures=measures(events),
        newest_event_ms=newest // timedelta(milliseconds=1),
    )


def late(
    since_epoch: Sequence[timedelta], append_ms: Ints, rules: MeteringRules
) -> NDArray[np.bool_]:
    """Say which events were appended more than the rules' ``late_after_ms`` after their time."""
    # Times have microseconds and are rounded down to milliseconds: append - floor(t) > limit is
    # the same as t < append - limit, for whole append times and limits.
    first, last = int(append_ms.min()), int(append_ms.max())
    if min(since_epoch) >= timedelta(milliseconds=last - rules.late_after_ms):
        return np.zeros(len(since_epoch), np.bool_)
    if first == last:
        limit = timedelta(milliseconds=first - rules.late_after_ms)
        return np.array([gap < limit for gap in since_epoch], np.bool_)
    limits_ms = (append_ms - rules.late_after_ms).tolist()
    return np.array(
        [
            gap < timedelta(milliseconds=limit_ms)
            for gap, limit_ms in zip(since_epoch, limits_ms, strict=True)
        ],
        np.bool_,
    )


def measures(events: Sequence[UncheckedEvent]) -> Ints:
    """What each event adds to its slices, a row each in the order of `MEASURES`."""
    rows = np.zeros((len(events), len(MEASURES)), np.int64)
    rows[:, 0] = 1
    rows[:, 1] = [event.status == "error" for event in events]
    rows[:, 2] = [event.input_tokens for event in events]
    rows[:, 5] = [event.output_tokens for event in events]
    for column, get in SUBSETS:
        reported = list(map(get, events))
        if any(reported):
            rows[:, column] = [tokens or 0 for tokens in reported]
    estimated = [event.quality == "estimated" for event in events]
    if any(estimated):
        rows[:, 7] = np.where(estimated, rows[:, 2] + rows[:, 5], 0)
    return rows
