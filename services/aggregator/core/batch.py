"""From the raw records of one partition batch to groups: decoded, judged by the time rules, summed.

The sums are made within the batch first, by minute, tenant and series; folding a group into the
families then costs the same whether it holds one event or thousands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from schemas.metering_rules import MINUTE_MS, MeteringRules
from schemas.wire import InvalidEventError, WireEvent, decode
from services.aggregator.core.slices import MEASURES, Series, SliceKey
from services.aggregator.core.timing import epoch_ms, rejection
from services.aggregator.core.windows import FAMILIES, Family

#: A dead letter keeps at most this much of its record.
PAYLOAD_BYTES_MAX: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Records:
    """Raw records of one partition, offsets ascending; the three sequences are parallel."""

    offsets: Sequence[int]
    append_ms: Sequence[int]
    values: Sequence[bytes | None]

    def __len__(self) -> int:
        return len(self.offsets)

    def cut(self, start: int, end: int) -> Records:
        """The records of an index range."""
        if start == 0 and end == len(self.offsets):
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


class GroupKey(NamedTuple):
    """Events of one group go to the same slice in every family named."""

    minute_ms: int
    tenant: str
    series: Series
    families: tuple[Family, ...]

    def slice_key(self, family: Family) -> SliceKey:
        """The key of this group's slice in a family."""
        return SliceKey(
            family.window_start_ms(self.minute_ms),
            self.tenant if family.has_tenant else "",
            self.series,
        )


class Accepted(NamedTuple):
    """One event that counts: where it lies, which group it is in, what it adds."""

    offset: int
    group: GroupKey
    measures: tuple[int, ...]


@dataclass(slots=True)
class Group:
    """The sums of a batch's events in one group, and the offsets they lie between."""

    first_offset: int
    last_offset: int
    totals: list[int]


@dataclass(slots=True)
class Judged:
    """What became of a stretch of records, before dedup: valid events and dead letters."""

    events: list[tuple[int, int, int, WireEvent]] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)


def judge(records: Records, rules: MeteringRules) -> Judged:
    """Decode the records and apply the time rules.

    `Judged.events` holds (offset, append_ms, time_ms, event).
    """
    judged = Judged()
    events, dead_letters = judged.events, judged.dead_letters
    for offset, append_ms, value in zip(
        records.offsets, records.append_ms, records.values, strict=True
    ):
        try:
            event = decode(value or b"")
        except InvalidEventError as error:
            dead_letters.append(dead_letter(offset, append_ms, value, error.code, error.message))
            continue
        time_ms = epoch_ms(event.time)
        reason = rejection(time_ms, append_ms, rules)
        if reason is not None:
            error_text = f"event time {event.time.isoformat()}, appended at {append_ms} ms"
            dead_letters.append(dead_letter(offset, append_ms, value, reason, error_text))
            continue
        events.append((offset, append_ms, time_ms, event))
    return judged


def dead_letter(
    offset: int, append_ms: int, value: bytes | None, reason: str, error: str
) -> DeadLetter:
    """Make the dead letter of a record; the payload is cut, its true length kept."""
    payload = value or b""
    return DeadLetter(offset, append_ms, reason, error, payload[:PAYLOAD_BYTES_MAX], len(payload))


def measures(event: WireEvent) -> tuple[int, ...]:
    """What one event adds to its slices, in the order of `MEASURES`."""
    return (
        1,
        1 if event.status == "error" else 0,
        event.input_tokens,
        event.cache_read_input_tokens or 0,
        event.cache_write_input_tokens or 0,
        event.output_tokens,
        event.reasoning_output_tokens or 0,
        event.input_tokens + event.output_tokens if event.quality == "estimated" else 0,
    )


def group_key(event: WireEvent, time_ms: int, append_ms: int, rules: MeteringRules) -> GroupKey:
    """Which group an event is in; families whose window is past retention are left out."""
    minute_ms = time_ms - time_ms % MINUTE_MS
    families: tuple[Family, ...] = FAMILIES
    if rules.too_old_ms >= min(rules.minute_retention_ms, rules.hour_retention_ms):
        families = tuple(
            family
            for family in FAMILIES
            if family.meters(family.window_start_ms(time_ms), append_ms, rules)
        )
    series = Series(event.entry, event.region, event.provider, event.model)
    return GroupKey(minute_ms, event.tenant, series, families)


def grouped(accepted: Iterable[Accepted]) -> dict[GroupKey, Group]:
    """Sum accepted events by group; offsets must ascend."""
    groups: dict[GroupKey, Group] = {}
    for offset, key, values in accepted:
        group = groups.get(key)
        if group is None:
            groups[key] = Group(offset, offset, list(values))
        else:
            group.last_offset = offset
            totals = group.totals
            for index, value in enumerate(values):
                if value:
                    totals[index] += value
    return groups


def totals_from(accepted: Iterable[Accepted], key: GroupKey, from_offset: int) -> list[int]:
    """Sum one group's events from an offset on: what the skip rule leaves of a group."""
    totals = [0] * len(MEASURES)
    for offset, group, values in accepted:
        if offset >= from_offset and group == key:
            for index, value in enumerate(values):
                totals[index] += value
    return totals
