"""PURE. One partition counted again from its records: what the meter must have made of them.

A second reading of docs/architecture.md (time rules, duplicate rule, slices), record by record, and
nothing of the aggregator's. The meter's rows are totals below some offset, their version; so what a
row must say is the sum below that offset, whatever the meter has done since.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from schemas.metering_rules import HOUR_MS, MINUTE_MS, MeteringRules
from schemas.price_class import UNITS
from services.audit.admission import Admission, Admitted
from services.audit.event import MEASURES, Event, NotAnEventError, Totals, read_event

INPUT: Final = MEASURES.index("input_tokens")

#: Why a record is refused. Of one that is broken in two ways the meter may name either, so no JSON
#: and no event are one here.
INVALID, TOO_OLD, TOO_NEW = "invalid", "too_old", "too_new"
REASONS: Final = {
    "invalid_json": INVALID,
    "invalid_event": INVALID,
    "too_old": TOO_OLD,
    "too_new": TOO_NEW,
}


#: A broker's clock may step by a day without a change of any count: so much longer than the horizon
#: an id makes duplicates.
CLOCK_STEP_MS: Final = 25 * HOUR_MS


class SliceKey(NamedTuple):
    """What a slice is about; `window` in seconds since 1970, `tenant` is '' where it has none.

    The last three are '' and 0 in families that keep nothing apart by them.
    """

    family: str
    window: int
    tenant: str
    entry: str
    region: str
    provider: str
    model: str
    service_tier: str = ""
    context_band: int = 0
    unit: str = ""


@dataclass(slots=True)
class Counts:
    """What became of the records of a stretch."""

    received: int = 0
    accepted: int = 0
    duplicate: int = 0
    late: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    newest_event_ms: int = 0
    last_append_ms: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """Up to which offset what is counted.

    Counts and dead letters: from `first` up to `checkpoint`. A slice: up to the version of its row
    where that lies beyond the checkpoint, else up to the checkpoint, where all rows are level.
    """

    first: int
    checkpoint: int
    versions: Mapping[SliceKey, int]

    @property
    def end(self) -> int:
        """The offset from which on nothing matters."""
        return max(self.checkpoint, *self.versions.values(), self.checkpoint)


class Recount:
    """Reads a partition's records in their order, those before `Limits.first` for their ids only.

    ``rules`` are (from_offset, rules), ascending. ``wanted`` says of which windows (family,
    seconds) slices are kept. ``sighted`` is told digest, offset and log time of accepted events.
    ``admitted`` are the series that the partition admitted, as stored; those of `Limits.first` and
    beyond are worked out again.
    """

    def __init__(
        self,
        rules: Sequence[tuple[int, MeteringRules]],
        limits: Limits,
        wanted: Callable[[str, int], bool],
        sighted: Callable[[bytes, int, int], None],
        admitted: Iterable[Admitted] = (),
    ) -> None:
        self.counts = Counts()
        self.letters: dict[int, str] = {}
        self.slices: dict[SliceKey, list[int]] = {}
        self._rules = list(rules)
        self._limits = limits
        self._wanted = wanted
        self._sighted = sighted
        self._admission = Admission(one for one in admitted if one.offset < limits.first)
        self._seen: dict[bytes, int] = {}
        self._pruned_ms = 0
        self._log_ms = 0
        self._keep_ms = keep_ms(rules)

    def read(self, offset: int, append_ms: int, record: bytes | None) -> None:
        """Take the next record."""
        # Log time never falls, though a broker's clock may. Age goes by the record's own append
        # time; whether it was seen by log time, which may have run ahead since.
        log_ms = self._log_ms = max(self._log_ms, append_ms)
        rules = self._rules_at(offset)
        counted = self._limits.first <= offset < self._limits.checkpoint
        if counted:
            self.counts.received += 1
            self.counts.last_append_ms = log_ms
        try:
            event = read_event(record)
        except NotAnEventError:
            self._refuse(offset, INVALID, counted)
            return
        time_ms = event.time_us // 1000
        if append_ms - time_ms > rules.too_old_ms:
            self._refuse(offset, TOO_OLD, counted)
            return
        if time_ms - log_ms > rules.too_new_ms:
            self._refuse(offset, TOO_NEW, counted)
            return
        digest = identity_digest(event)
        before_ms = self._seen.get(digest)
        self._seen[digest] = log_ms
        self._prune(log_ms)
        duplicate = (
            before_ms is not None and log_ms - before_ms < rules.dedup_horizon_ms + CLOCK_STEP_MS
        )
        if counted:
            self.counts.newest_event_ms = max(self.counts.newest_event_ms, time_ms)
            self.counts.duplicate += duplicate
            self.counts.accepted += not duplicate
            self.counts.late += not duplicate and append_ms - time_ms > rules.late_after_ms
        if duplicate or offset < self._limits.first:
            return
        if counted:
            self._sighted(digest, offset, log_ms)
        self._add(offset, event, append_ms, rules)

    def total(self, key: SliceKey) -> Totals | None:
        """What the slice must hold, or None where it must not exist."""
        totals = self.slices.get(key)
        return None if totals is None else tuple(totals)

    def _refuse(self, offset: int, reason: str, counted: bool) -> None:
        if counted:
            self.counts.rejected[reason] = self.counts.rejected.get(reason, 0) + 1
            self.letters[offset] = reason

    def _rules_at(self, offset: int) -> MeteringRules:
        while len(self._rules) > 1 and self._rules[1][0] <= offset:
            del self._rules[0]
        return self._rules[0][1]

    def _add(self, offset: int, event: Event, append_ms: int, rules: MeteringRules) -> None:
        series = self._admission.counted_for(event, rules)
        self._add_to(SliceKey("register", 0, "", *series), offset, event.measures)
        minute = window_of(event, append_ms, MINUTE_MS, rules.minute_retention_ms)
        if minute is not None:
            self._add_to(SliceKey("minute", minute, "", *series), offset, event.measures)
        hour = window_of(event, append_ms, HOUR_MS, rules.hour_retention_ms)
        if hour is None:
            return
        key = SliceKey("hour", hour, event.tenant, *series)
        # What counts for others in its place has no price, and so no class.
        if series == (event.entry, event.region, event.provider, event.model):
            key = key._replace(service_tier=event.service_tier, context_band=band(event, rules))
        self._add_to(key, offset, event.measures)
        for unit, quantity in zip(UNITS, event.quantities, strict=True):
            if quantity:
                used = SliceKey("unit", hour, event.tenant, *series, unit=unit)
                self._add_to(used, offset, (quantity,))

    def _add_to(self, key: SliceKey, offset: int, amounts: Totals) -> None:
        if not self._wanted(key.family, key.window):
            return
        if offset >= self._limits.checkpoint and offset >= self._limits.versions.get(key, 0):
            return
        totals = self.slices.get(key)
        if totals is None:
            totals = self.slices[key] = [0] * len(amounts)
        for number, amount in enumerate(amounts):
            if amount:
                totals[number] += amount

    def _prune(self, log_ms: int) -> None:
        """Forget ids that can make nothing a duplicate any more, now and then."""
        if log_ms - self._pruned_ms < self._keep_ms // 8:
            return
        if self._pruned_ms:
            from_ms = log_ms - self._keep_ms
            self._seen = {one: seen for one, seen in self._seen.items() if seen > from_ms}
        self._pruned_ms = log_ms


def keep_ms(rules: Sequence[tuple[int, MeteringRules]]) -> int:
    """How long before a record's log time sightings matter, at most."""
    return max(one.dedup_horizon_ms for _, one in rules) + CLOCK_STEP_MS


def window_of(event: Event, append_ms: int, window_ms: int, kept_ms: int) -> int | None:
    """Start of an event's window, in seconds; None where it ended longer ago than it is kept."""
    window = event.time_us // (1000 * window_ms) * window_ms
    return None if window < (append_ms - kept_ms) // window_ms * window_ms else window // 1000


def band(event: Event, rules: MeteringRules) -> int:
    """The highest threshold that the event's input exceeds; 0 for none."""
    size = event.measures[INPUT]
    return max((one for one in rules.context_thresholds if one < size), default=0)


def identity_digest(event: Event) -> bytes:
    """Give 128 bits that stand for (tenant, source, id); each part with its length before it."""
    text = f"{len(event.tenant)}:{event.tenant}{len(event.source)}:{event.source}{event.id}"
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
