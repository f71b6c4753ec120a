"""PURE: the oracle: what the meter must show, recounted from the log and held against the ledger.

Plain dictionaries and Python's own JSON. It shares no code with the meter: not its decoding, not
its hashes, not its windows. Each identity counts once, whatever happened to whoever.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from tests.chaos.contributions import COLUMNS_OF, COUNTING, VIEWS, contributions
from tests.chaos.events import DAY_MS, EPOCH, HOUR_MS, MINUTE_MS, identity
from tests.chaos.ledger import ACKNOWLEDGED, UNKNOWN, EventName, Ledger

TOO_OLD_MS: Final = 35 * DAY_MS
TOO_NEW_MS: Final = 5 * MINUTE_MS
LATE_AFTER_MS: Final = 5 * MINUTE_MS
TOKENS_MAX: Final = 10**11
Key = tuple[Any, ...]
Rows = dict[Key, tuple[int, ...]]
#: A log's name and a partition of it.
Place = tuple[str, int]


@dataclass(slots=True)
class PartitionCount:
    """What a checkpoint of one partition must say."""

    next_offset: int = 0
    received: int = 0
    accepted: int = 0
    duplicate: int = 0
    late: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    log_time_ms: int = 0


@dataclass(slots=True)
class Found:
    """What the meter shows: rows by view, checkpoints, and dead letters by place and offset."""

    rows: Mapping[str, Rows]
    checkpoints: Mapping[Place, Mapping[str, Any]]
    dead_letters: Mapping[tuple[str, int, int], str]


class Recount:
    """The log counted again, record by record in the order of each partition."""

    def __init__(self) -> None:
        self.partitions: dict[Place, PartitionCount] = {}
        self.seen: set[EventName] = set()
        #: Where events lie that are on the log more than once: (partition, offset, append time).
        self.sightings: dict[EventName, list[tuple[int, int, int]]] = {}
        self._first: dict[EventName, tuple[int, int, int, Key]] = {}
        self.strangers: list[str] = []
        self.dead_letters: dict[tuple[str, int, int], str] = {}
        self._sums: dict[str, dict[Key, list[int]]] = {view: {} for view in VIEWS}

    def add(self, place: Place, offset: int, append_ms: int, value: bytes | None) -> None:
        """Count one record."""
        count = self.partitions.setdefault(place, PartitionCount())
        count.next_offset = offset + 1
        count.received += 1
        count.log_time_ms = max(count.log_time_ms, append_ms)
        event, reason = judge(value, append_ms, count.log_time_ms)
        if event is None:
            count.rejected[reason] += 1
            self.dead_letters[*place, offset] = reason
            return
        name = identity(event["id"])
        if name is None:
            self.strangers.append(event["id"])
            return
        known = EventName(*name)
        if known in self.seen:
            count.duplicate += 1
            here = (place[1], offset, append_ms)
            self.sightings.setdefault(known, [self._first[known][:3]]).append(here)
            return
        self.seen.add(known)
        minute = minute_key(event)
        self._first[known] = (place[1], offset, append_ms, minute)
        count.accepted += 1
        count.late += append_ms - event["time_ms"] > LATE_AFTER_MS
        self._sum(event)

    def _sum(self, event: Mapping[str, Any]) -> None:
        for view, names in VIEWS.items():
            window_ms = MINUTE_MS if view == "usage_minute" else HOUR_MS
            window = event["time_ms"] // window_ms * window_ms // 1000
            for said, values in contributions(view, event):
                whole = {**event, **said, "window_start": window}
                key = tuple(whole[name] for name in names)
                row = self._sums[view].setdefault(key, [0] * len(values))
                for index, value in enumerate(values):
                    row[index] += value

    def suspects(self, keys: Collection[Key]) -> Iterator[str]:
        """Name the events of these minutes that are on the log more than once, and where."""
        for name, sightings in sorted(self.sightings.items()):
            key = self._first[name][3]
            if key in keys:
                where = ", ".join(f"{p}@{offset} at {at}" for p, offset, at in sightings)
                yield f"event {name.sender}-{name.number} of {key}: {where}"

    def rows(self, view: str) -> Rows:
        """What a view must show."""
        return {key: tuple(row) for key, row in self._sums[view].items()}


def minute_key(event: Mapping[str, Any]) -> Key:
    """The key of an event's row in `usage_minute`."""
    window = event["time_ms"] // MINUTE_MS * MINUTE_MS // 1000
    return (window, event["region"], event["provider"], event["model"])


def judge(
    value: bytes | None, append_ms: int, log_time_ms: int
) -> tuple[dict[str, Any] | None, str]:
    """Say whether a record is an event that counts: the event, or why it is refused.

    How old an event is goes by its own record's clock, how new by the newest so far: a broker's
    clock that steps must make no other event old, and none look as if it came from the future.
    Knows what the harness sends, which is all there is on the log.
    """
    try:
        event = json.loads(value or b"", parse_constant=_no_constant)
    except ValueError:
        return None, "invalid_json"
    if not valid(event):
        return None, "invalid_event"
    event["time_ms"] = epoch_ms(event["time"])
    if append_ms - event["time_ms"] > TOO_OLD_MS:
        return None, "too_old"
    if event["time_ms"] - log_time_ms > TOO_NEW_MS:
        return None, "too_new"
    return event, ""


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


def valid(event: Any) -> bool:
    """Whether it has what an event must have."""
    if not isinstance(event, dict):
        return False
    numbers = [event.get(name) for name in ("input_tokens", "output_tokens")]
    parts = [
        event.get(name, 0)
        for name in ("cache_read_input_tokens", "cache_write_input_tokens")
        + ("reasoning_output_tokens",)
    ]
    if not all(type(n) is int and 0 <= n <= TOKENS_MAX for n in [*numbers, *parts]):
        return False
    texts = [event.get(name) for name in ("id", "source", "tenant", "region", "provider", "model")]
    if not all(isinstance(text, str) and 0 < len(text) <= 128 for text in texts):
        return False
    read, written, reasoning = (int(part) for part in parts)
    if read + written > int(event["input_tokens"]):
        return False
    return reasoning <= int(event["output_tokens"])


def epoch_ms(text: str) -> int:
    """Milliseconds since 1970 of an RFC 3339 time."""
    since = datetime.fromisoformat(text.replace("Z", "+00:00")) - EPOCH
    return since.days * DAY_MS + since.seconds * 1000 + since.microseconds // 1000


@dataclass(frozen=True, slots=True)
class Difference:
    """One number that is not as it must be. ``where`` names view or table, ``key`` the row."""

    where: str
    key: Key
    column: str
    expected: Any
    found: Any

    def __str__(self) -> str:
        key = ", ".join(str(part) for part in self.key)
        return f"{self.where} [{key}] {self.column}: must be {self.expected}, is {self.found}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the oracle found. ``lost`` and ``double_counted`` are counts of events."""

    events_acknowledged: int
    records: int
    duplicates: int
    rejected: int
    lost: int
    double_counted: int
    rows_compared: int
    differences: tuple[Difference, ...]

    @property
    def exact(self) -> bool:
        """Whether nothing differs at all."""
        return not (self.differences or self.lost or self.double_counted)


def verdict(recount: Recount, ledger: Ledger, found: Found, *, settled: bool = True) -> Verdict:
    """Hold everything against everything, and name what differs by its key.

    ``settled`` says that no answer is still to come.
    """
    differences: list[Difference] = [*ledger_differences(recount, ledger, settled=settled)]
    not_on_the_log = len(differences)
    missing, extra = [0], [0]
    compared = 0
    for view in VIEWS:
        expected, shown = recount.rows(view), found.rows[view]
        compared += len(expected.keys() | shown.keys())
        differences += row_differences(view, expected, shown)
        if view not in COUNTING:
            continue
        deltas = [
            expected.get(key, (0,))[0] - shown.get(key, (0,))[0]
            for key in expected.keys() | shown.keys()
        ]
        missing.append(sum(delta for delta in deltas if delta > 0))
        extra.append(-sum(delta for delta in deltas if delta < 0))
    accepted = [
        count.accepted - int(found.checkpoints.get(place, {}).get("accepted", 0))
        for place, count in recount.partitions.items()
    ]
    missing.append(sum(delta for delta in accepted if delta > 0))
    extra.append(-sum(delta for delta in accepted if delta < 0))
    differences += checkpoint_differences(recount, found)
    differences += letter_differences(recount, found)
    counts = recount.partitions.values()
    return Verdict(
        events_acknowledged=ledger.tally().acknowledged,
        records=sum(count.received for count in counts),
        duplicates=sum(count.duplicate for count in counts),
        rejected=sum(sum(count.rejected.values()) for count in counts),
        lost=sum(d.column == "acknowledged" for d in differences[:not_on_the_log]) + max(missing),
        double_counted=max(extra),
        rows_compared=compared,
        differences=tuple(differences),
    )


def ledger_differences(recount: Recount, ledger: Ledger, *, settled: bool) -> Iterator[Difference]:
    """What was acknowledged is on the log, and nothing is there that cannot be.

    An event whose sends were never answered may be there or not.
    """
    for name, fate in ledger.events():
        on_the_log = name in recount.seen
        if fate & ACKNOWLEDGED and not on_the_log and name not in ledger.refusable:
            yield Difference("log", name, "acknowledged", "on the log", "not there")
        elif on_the_log and settled and not fate & (ACKNOWLEDGED | UNKNOWN):
            yield Difference("log", name, "never taken", "not on the log", "there")
    for name in recount.seen:
        if not ledger.knows(name):
            yield Difference("log", name, "stranger", "not on the log", "there")
    for text in recount.strangers:
        yield Difference("log", (text,), "stranger", "not on the log", "there")


def row_differences(view: str, expected: Rows, found: Rows) -> Iterator[Difference]:
    """Compare two sets of rows both ways."""
    zeros = (0,) * len(COLUMNS_OF[view])
    for key in sorted(expected.keys() | found.keys()):
        columns = zip(
            COLUMNS_OF[view], expected.get(key, zeros), found.get(key, zeros), strict=True
        )
        for column, must, is_ in columns:
            if must != is_:
                yield Difference(view, key, column, must, is_)


def checkpoint_differences(recount: Recount, found: Found) -> Iterator[Difference]:
    """Hold each partition's checkpoint against its recount."""
    for place in sorted(recount.partitions.keys() | found.checkpoints.keys()):
        must = recount.partitions.get(place, PartitionCount())
        is_ = found.checkpoints.get(place, {})
        pairs = [
            (name, getattr(must, name), int(is_.get(name, 0)))
            for name in ("received", "accepted", "duplicate", "late")
        ]
        rejected = {reason: int(n) for reason, n in is_.get("rejected", {}).items() if int(n)}
        for reason in sorted(must.rejected.keys() | rejected.keys()):
            pairs.append((f"rejected {reason}", must.rejected[reason], rejected.get(reason, 0)))
        total = sum(int(is_.get(name, 0)) for name in ("accepted", "duplicate"))
        pairs.append(
            ("accepted + duplicate + rejected", must.received, total + sum(rejected.values()))
        )
        for name, expected, shown in pairs:
            if expected != shown:
                yield Difference("checkpoints", place, name, expected, shown)
        if int(is_.get("next_offset", 0)) < must.next_offset:
            yield Difference(
                *("checkpoints", place, "next_offset", f">= {must.next_offset}"),
                is_.get("next_offset", 0),
            )


def letter_differences(recount: Recount, found: Found) -> Iterator[Difference]:
    """Every refused record is a dead letter with its reason, and there are no others."""
    for where in sorted(recount.dead_letters.keys() | found.dead_letters.keys()):
        must, is_ = recount.dead_letters.get(where, "none"), found.dead_letters.get(where, "none")
        if must != is_:
            yield Difference("dead_letters", where, "reason", must, is_)


def summary(differences: Iterable[Difference]) -> dict[str, int]:
    """How many differences there are, by where and column."""
    return dict(Counter(f"{d.where} {d.column}" for d in differences))
