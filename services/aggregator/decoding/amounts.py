"""PURE. What events say, as columns of numbers: when, how much, at which tier.

Of those read a batch at a time the numbers are columns already (``quick_…``); of others each event
is asked. The last measures and units, which few events have, have columns where something is
above 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from schemas.measures import INPUT, MEASURES, OUTPUT, USUAL
from schemas.price_class import SERVICE_TIERS, UNITS
from schemas.wire import PlainEvent, UncheckedEvent, told_closer
from services.aggregator.arrays.key_index import Ints
from services.aggregator.arrays.narrow import no_rows
from services.aggregator.decoding.canonical import SUBSETS

FAILED, ESTIMATED = MEASURES.index("failed_requests"), MEASURES.index("estimated_tokens")
#: By what an event says of its tier: 0, or 1 + its place in `SERVICE_TIERS`.
TIER_NUMBERS: Final = {None: 0} | {tier: 1 + at for at, tier in enumerate(SERVICE_TIERS)}


def quick_measures(numbers: dict[str, Ints]) -> Ints:
    """What each event adds to its slices, a row each in the order of `MEASURES`."""
    few = numbers.keys().isdisjoint(MEASURES[USUAL:])
    rows = no_rows(len(numbers["input_tokens"]), USUAL if few else len(MEASURES))
    rows[:, 0] = 1
    for name, column in numbers.items():
        if name == "failed":
            rows[:, FAILED] = column
        elif name == "estimated":
            rows[:, ESTIMATED] = column * (numbers["input_tokens"] + numbers["output_tokens"])
        elif name in MEASURES:
            rows[:, MEASURES.index(name)] = column
    return rows


def quick_units(numbers: dict[str, Ints]) -> Ints:
    """What each event uses beside tokens, a row each in the order of `UNITS`."""
    events = len(numbers["input_tokens"])
    used = [(index, numbers[name]) for index, name in enumerate(UNITS) if name in numbers]
    rows = no_rows(events, len(UNITS) if used else 0)
    for index, column in used:
        rows[:, index] = column
    return rows


def times_us(events: Sequence[PlainEvent]) -> Ints:
    """Event times in microseconds since 1970.

    Exact for all times that `schemas.wire.problem` lets pass: until 2100 a float of seconds is
    less than half a microsecond off. Beyond, only the order of magnitude matters.
    """
    seconds = np.array([event.time.timestamp() for event in events], np.float64)
    return np.rint(seconds * 1e6).astype(np.int64)


def adjusting(events: Sequence[PlainEvent]) -> NDArray[np.bool_]:
    """Say which events are, or half are, adjustments: they need a closer look."""
    if (
        any([event.adjusts for event in events])
        or any([event.reason for event in events])
        or ({event.entry for event in events} - {"usage"})
    ):
        plain = ("usage", None, None)
        return np.array([(event.entry, event.adjusts, event.reason) != plain for event in events])
    return np.zeros(len(events), np.bool_)


def measures(events: Sequence[PlainEvent]) -> Ints:
    """What each event adds to its slices, a row each in the order of `MEASURES`."""
    rows = no_rows(len(events), USUAL)
    rows[:, 0] = 1
    failed = [event.status == "error" for event in events]
    if True in failed:
        rows[:, FAILED] = failed
    rows[:, INPUT] = [event.input_tokens for event in events]
    rows[:, OUTPUT] = [event.output_tokens for event in events]
    for name in SUBSETS:
        reported = list(map(attrgetter(name), events))
        if any(reported):
            rows[:, MEASURES.index(name)] = [tokens or 0 for tokens in reported]
    estimated = [event.quality == "estimated" for event in events]
    if True in estimated:
        rows[:, ESTIMATED] = np.where(estimated, rows[:, INPUT] + rows[:, OUTPUT], 0)
    closer = _told(events, MEASURES[USUAL:])
    return np.concatenate((rows, closer), axis=1) if closer.shape[1] else rows


def units(events: Sequence[PlainEvent]) -> Ints:
    """What each event uses beside tokens, a row each in the order of `UNITS`."""
    return _told(events, UNITS)


def tiers(events: Sequence[PlainEvent]) -> Ints:
    """The tier of each event, as `Decoded` has it."""
    numbers = np.zeros(len(events), np.int64)
    first = told_closer(events)
    numbers[first:] = [TIER_NUMBERS[event.service_tier] for event in _closer(events, first)]
    return numbers


def _told(events: Sequence[PlainEvent], names: Sequence[str]) -> Ints:
    """What the events say of some fields, a row each; of none of them where all say nothing."""
    first = told_closer(events)
    said = {
        index: reported
        for index, name in enumerate(names)
        if any(reported := list(map(attrgetter(name), _closer(events, first))))
    }
    rows = no_rows(len(events), len(names) if said else 0)
    for index, reported in said.items():
        rows[first:, index] = [number or 0 for number in reported]
    return rows


def _closer(events: Sequence[PlainEvent], first: int) -> Sequence[UncheckedEvent]:
    return cast("Sequence[UncheckedEvent]", events[first:])
