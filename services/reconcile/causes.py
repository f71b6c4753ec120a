"""PURE. Why quantities differ: rules, the surest first, each with what it is decided by.

A rule takes what it can explain of a difference and leaves the rest to the next; what none explains
is unexplained. In this order, of each period and model:

1. **rounding**: the difference is no more than the export rounded its own quantities by.
2. **other class**: the bill has more in one class, tier or context and less in another, of the
   same side (input or output). First between tiers and contexts of one class, then between classes
   of one tier, then the rest: as much as the smaller of the two has moved.
3. **late**, day by day: the bill has more on one day and less on the next, in the same class, or
   the other way round, and no more of it than was metered in the hour at that midnight. It counts
   by when a request began, or when it was answered for, and the meter by when it ended.
4. **late**, at the end: less on the bill, and no more than was metered in hours that ended after
   the bill was made; or more on it, on a day that ended less than a day ago and whose end no event
   that the meter has seen has reached.
5. **not reported**: more on the bill, and the meter refused as much (its dead letters say of
   what), or the bill counts more requests than the meter, or it counts none.
6. **reported twice**: less on the bill, and it counts fewer requests than the meter, or it counts
   none and both input and output are less, of a model that is on it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from itertools import groupby, pairwise
from typing import Final, NamedTuple

from services.reconcile.bill import ALL, DAY, INPUT, TOKENS, Key
from services.reconcile.cells import Calls, QuantityCell, Where
from services.reconcile.findings import Cause
from services.reconcile.metered import OUTPUT_CLASSES, is_tokens

_NO_CALLS: Final = Calls()


class Piece(NamedTuple):
    """Part of a key's difference, bill minus meter, and why."""

    key: Key
    cause: Cause
    quantity: int
    evidence: str


def pieces_of(
    cells: Mapping[Key, QuantityCell],
    calls: Mapping[Where, Calls],
    newest_event: datetime | None,
    now: datetime,
) -> list[Piece]:
    """Give the differences, each part with its cause; they add up to each key's difference."""
    work = _Work(cells, calls, newest_event, now)
    work.rounding()
    work.other_class()
    work.day_by_day()
    work.at_the_end()
    work.refused()
    work.by_requests()
    return work.pieces


@dataclass(slots=True)
class _Work:
    """What is left of each key's difference, and what was explained of it so far."""

    cells: Mapping[Key, QuantityCell]
    calls: Mapping[Where, Calls]
    newest_event: datetime | None
    now: datetime
    left: dict[Key, int] = field(init=False)
    keys: dict[Where, list[Key]] = field(init=False)
    pieces: list[Piece] = field(default_factory=list)

    def __post_init__(self) -> None:
        keys = sorted(self.cells)
        self.left = {key: self.cells[key].billed - self.cells[key].metered.whole for key in keys}
        self.keys = {
            where: list(found)
            for where, found in groupby(keys, lambda key: (key.days, key.provider, key.model))
        }

    def take(self, key: Key, quantity: int, cause: Cause, evidence: str) -> None:
        """Explain a part of a key's difference."""
        if quantity:
            self.left[key] -= quantity
            self.pieces.append(Piece(key, cause, quantity, evidence))

    def rounding(self) -> None:
        for key, left in self.left.items():
            slack = self.cells[key].slack
            if abs(left) <= slack:
                self.take(key, left, Cause.ROUNDING, f"the export is rounded by up to {slack:,}")

    def other_class(self) -> None:
        for keys in self.keys.values():
            for side in sorted({_side(key) for key in keys}):
                of_side = [key for key in keys if self.left[key] and _side(key) == side]
                for related in _RELATIONS:
                    self._move(of_side, related)

    def _move(self, keys: list[Key], related: Callable[[Key, Key], bool]) -> None:
        """Pair what the bill has more with what it has less, so far as the keys are related."""
        for more in keys:
            for less in keys:
                moved = min(self.left[more], -self.left[less])
                if moved > 0 and related(more, less):
                    self.take(more, moved, Cause.OTHER_CLASS, f"metered as {_class(less)}")
                    self.take(less, -moved, Cause.OTHER_CLASS, f"billed as {_class(more)}")

    def day_by_day(self) -> None:
        rows: defaultdict[tuple[object, ...], list[Key]] = defaultdict(list)
        for key in self.cells:
            rows[key.provider, key.model, key.billed_as, key.service_tier, key.context].append(key)
        for keys in rows.values():
            for one, after in pairwise(sorted(keys)):
                if one.days.end == after.days.first:
                    self._over_midnight(one, after)

    def _over_midnight(self, one: Key, after: Key) -> None:
        left, left_after = self.left[one], self.left[after]
        if left > 0 > left_after:
            cap = self.cells[after].metered.first_hour
            billed, metered, sign = one, after, 1
        elif left < 0 < left_after:
            cap = self.cells[one].metered.last_hour
            billed, metered, sign = after, one, -1
        else:
            return
        moved = sign * min(abs(left), abs(left_after), max(cap, 0))
        evidence = f"billed on {billed.days}, metered on {metered.days}, at midnight"
        self.take(one, moved, Cause.LATE, evidence)
        self.take(after, -moved, Cause.LATE, evidence)

    def at_the_end(self) -> None:
        for key, left in self.left.items():
            after_export = self.cells[key].metered.after_export
            end = datetime.combine(key.days.end, time(), UTC)
            recent = self.now < end + DAY
            if left < 0 < after_export:
                evidence = f"{after_export:,} were metered after the bill was made"
                self.take(key, max(left, -after_export), Cause.LATE, evidence)
            elif left > 0 and recent and (self.newest_event is None or self.newest_event < end):
                seen = "none" if self.newest_event is None else f"{self.newest_event:%F %R} UTC"
                self.take(key, left, Cause.LATE, f"the meter's newest event is of {seen}")

    def refused(self) -> None:
        """Hold what is left against dead letters, input against input and output against output."""
        for where, calls in self.calls.items():
            pools = {
                "input": sum(one.input_tokens for one in calls.refused),
                "output": sum(one.output_tokens for one in calls.refused),
            }
            reasons: defaultdict[str, int] = defaultdict(int)
            for one in calls.refused:
                reasons[one.reason] += one.records
            told = ", ".join(f"{reason} {count:,}" for reason, count in sorted(reasons.items()))
            for key in self.keys.get(where, ()):
                side = _side(key)
                taken = min(max(self.left[key], 0), pools.get(side, 0))
                if taken:
                    pools[side] -= taken
                    self.take(key, taken, Cause.NOT_REPORTED, f"the meter refused: {told}")

    def by_requests(self) -> None:
        for where, all_keys in self.keys.items():
            calls = self.calls.get(where, _NO_CALLS)
            keys = [key for key in all_keys if self.left[key]]
            sides = {_side(key) for key in keys if self.left[key] < 0}
            billed = any(self.cells[key].billed for key in all_keys)
            whole_calls = billed and ({"input", "output"} <= sides or TOKENS in sides)
            for key in keys:
                cause, evidence = _by_requests(self.left[key], calls, whole_calls, billed)
                if calls.estimated_tokens:
                    evidence += f"; {calls.estimated_tokens:,} tokens are estimated"
                self.take(key, self.left[key], cause, evidence)


def _by_requests(left: int, calls: Calls, whole_calls: bool, billed: bool) -> tuple[Cause, str]:
    """Decide what is left by how many requests either side counts.

    Failed requests may be on the bill or not; so a bill is short of requests, or has more, as soon
    as it can be either way.
    """
    if calls.billed is None:
        if left > 0:
            return Cause.NOT_REPORTED, "the bill counts no requests"
        if whole_calls:
            return Cause.REPORTED_TWICE, "input and output both exceed the bill"
        why = "only a part of the calls' tokens" if billed else "the model is not on the bill"
        return Cause.UNEXPLAINED, why
    failed = f", {calls.failed:,} of them failed" if calls.failed else ""
    evidence = f"requests: {calls.billed:,} billed, {calls.metered:,} metered{failed}"
    if left > 0 and calls.billed > calls.metered - calls.failed:
        return Cause.NOT_REPORTED, evidence
    if left < 0 and calls.billed < calls.metered:
        return Cause.REPORTED_TWICE, evidence
    return Cause.UNEXPLAINED, evidence


def _side(key: Key) -> str:
    """Name what of a request a key is: its input, its output, or a unit, which has no other."""
    if key.billed_as in OUTPUT_CLASSES:
        return "output"
    if key.billed_as in {TOKENS, ALL} or not is_tokens(key.billed_as):
        return key.billed_as
    return INPUT


def _class(key: Key) -> str:
    parts = (key.billed_as, key.service_tier, str(key.context))
    return ", ".join(part for part in parts if part)


#: What two keys must have in common for tokens to have moved from one to the other, surest first.
_RELATIONS: Final[tuple[Callable[[Key, Key], bool], ...]] = (
    lambda one, other: one.billed_as == other.billed_as,
    lambda one, other: (one.service_tier, one.context) == (other.service_tier, other.context),
    lambda one, other: True,
)
