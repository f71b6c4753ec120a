"""What must come out, worked out from the log alone by plain sums.

Shares no code with the aggregator: no slices, no versions, no batches, no hashes. What became of a
record is a function of the records before it, so it is decided once, when the record is appended.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from datetime import datetime
from typing import Any, NamedTuple

from schemas.metering_rules import HOUR_MS, MINUTE_MS, MeteringRules

#: requests, input tokens, output tokens; of units only how many
Sums = tuple[int, int, int]
NOTHING: Sums = (0, 0, 0)
#: As far behind the log's time may an event be judged, after a broker's clock was ahead.
CLOCK_STEP_MS = 4_000


class Key(NamedTuple):
    """A slice by name; what a family does not keep apart is 0 or empty."""

    window_start_ms: int
    tenant: str
    model: str
    #: Tier and context band, or a unit.
    variety: tuple[Any, ...] = ()


class Counts(NamedTuple):
    """What a checkpoint says of all records below an offset."""

    received: int = 0
    accepted: int = 0
    duplicate: int = 0
    late: int = 0
    rejected: int = 0
    newest_event_ms: int = 0
    log_time_ms: int = 0


def log_time(append_ms: int, before_ms: int) -> int:
    """The log's time at a record: a broker clock that steps back reads as standing still."""
    return max(append_ms, before_ms)


def is_again(log_time_ms: int, seen_ms: int, horizon_ms: int) -> bool:
    """The duplicate rule: whether a sighting makes another event with its id a duplicate.

    ``seen_ms`` is the log's time at the sighting, ``log_time_ms`` at the event.
    """
    return log_time_ms - seen_ms < horizon_ms + CLOCK_STEP_MS


def refused(time_ms: int, append_ms: int, log_time_ms: int, rules: MeteringRules) -> bool:
    """Whether an event's time is out of bounds."""
    too_old = append_ms - time_ms > rules.too_old_ms
    return too_old or time_ms - log_time_ms > rules.too_new_ms


class PartitionTruth:
    """Everything that is so below each offset of one partition."""

    def __init__(self) -> None:
        #: By family and key: offsets of accepted events, ascending, and the sums with each.
        self.slices: dict[str, dict[Key, tuple[list[int], list[Sums]]]] = {
            "register": {},
            "minute": {},
            "hour": {},
            "unit": {},
        }
        self.rejected_offsets: list[int] = []
        self.decisions: list[str] = []
        self._counted_offsets: list[int] = []
        self._counts: list[Counts] = [Counts()]
        #: By identity: the log's time and the offset of every sighting.
        self._sightings: dict[tuple[str, str], list[tuple[int, int]]] = {}
        self._log_time_ms = 0

    def decide(self, offset: int, append_ms: int, value: bytes, rules: MeteringRules) -> None:
        """Say what becomes of the next record, and add it up."""
        now_ms = self._log_time_ms = log_time(append_ms, self._log_time_ms)
        counts = self._counts[-1]._asdict()
        counts["received"] += 1
        counts["log_time_ms"] = now_ms
        event = read(value)
        if event is None or refused(event["ms"], append_ms, now_ms, rules):
            decision = "rejected"
            self.rejected_offsets.append(offset)
        else:
            counts["newest_event_ms"] = max(counts["newest_event_ms"], event["ms"])
            again = bool(self._seen_before(event, now_ms, rules))
            sightings = self._sightings.setdefault((event["tenant"], event["id"]), [])
            sightings.append((now_ms, offset))
            decision = "duplicate" if again else "accepted"
            if not again:
                counts["late"] += append_ms - event["ms"] > rules.late_after_ms
                self._add(offset, event, append_ms, rules)
        counts[decision] += 1
        self.decisions.append(decision)
        self._counted_offsets.append(offset)
        self._counts.append(Counts(**counts))

    def _seen_before(self, event: dict[str, Any], now_ms: int, rules: MeteringRules) -> list[int]:
        """The offsets of the sightings that make an event a duplicate."""
        return [
            offset
            for seen_ms, offset in self._sightings.get((event["tenant"], event["id"]), [])
            if is_again(now_ms, seen_ms, rules.dedup_horizon_ms)
        ]

    def forgotten(self, append_ms: int, value: bytes, rules: MeteringRules, start: int) -> bool:
        """Whether only sightings below an offset would make the next record a duplicate."""
        event = read(value) if start else None
        if event is None:
            return False
        now_ms = log_time(append_ms, self._log_time_ms)
        before = self._seen_before(event, now_ms, rules)
        return bool(before) and max(before) < start

    def _add(
        self, offset: int, event: dict[str, Any], append_ms: int, rules: MeteringRules
    ) -> None:
        model, tenant = event["model"], event["tenant"]
        minute_ms = event["ms"] // MINUTE_MS * MINUTE_MS
        hour_ms = event["ms"] // HOUR_MS * HOUR_MS
        used: Sums = (1, event["input_tokens"], event["output_tokens"])
        places = [("register", Key(0, "", model), used)]
        # A window that ended longer ago than the retention may be deleted, so it gets nothing.
        if minute_ms + MINUTE_MS > append_ms - rules.minute_retention_ms:
            places.append(("minute", Key(minute_ms, "", model), used))
        if hour_ms + HOUR_MS > append_ms - rules.hour_retention_ms:
            exceeded = [one for one in rules.context_thresholds if event["input_tokens"] > one]
            price_class = (event.get("service_tier", ""), max(exceeded, default=0))
            places.append(("hour", Key(hour_ms, tenant, model, price_class), used))
            if event.get("pages"):
                pages = Key(hour_ms, tenant, model, ("pages",))
                places.append(("unit", pages, (event["pages"], 0, 0)))
        for family, key, more in places:
            offsets, sums = self.slices[family].setdefault(key, ([], []))
            requests, inputs, outputs = sums[-1] if sums else NOTHING
            offsets.append(offset)
            sums.append((requests + more[0], inputs + more[1], outputs + more[2]))

    def sums(self, family: str, key: Key, below: int) -> Sums:
        """The sums of a slice over the accepted events below an offset."""
        offsets, sums = self.slices[family].get(key, ([], []))
        count = bisect_left(offsets, below)
        return sums[count - 1] if count else NOTHING

    def last_change(self, family: str, key: Key, below: int) -> int:
        """The offset of a slice's last accepted event below an offset; -1 for none."""
        offsets, _ = self.slices[family][key]
        count = bisect_left(offsets, below)
        return offsets[count - 1] if count else -1

    def counts(self, below: int) -> Counts:
        """What a checkpoint must say there."""
        return self._counts[bisect_left(self._counted_offsets, below)]


def read(value: bytes) -> dict[str, Any] | None:
    """A usage event from its bytes; None where it is none. Enough for what schedules append."""
    try:
        event: dict[str, Any] = json.loads(value)
        event["ms"] = round(datetime.fromisoformat(event["time"]).timestamp() * 1000)
        return {**event, "id": event["id"]} if event["source"] else None
    except (ValueError, KeyError, TypeError):
        return None
