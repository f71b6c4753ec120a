"""From the bytes of records to columns: what each event says, before anything is judged.

A pure function of the bytes, but for the numbers of labels: so it may run ahead of everything
else, and elsewhere. All columns are parallel: the n-th entry of each is about the n-th event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from operator import attrgetter
from typing import Final

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_128_digest

from schemas.wire import UncheckedEvent, decode_many
from services.aggregator.core.key_index import Ints
from services.aggregator.core.labels import Labels
from services.aggregator.core.slices import MEASURES

SUBSETS: Final = (
    (3, attrgetter("cache_read_input_tokens")),
    (4, attrgetter("cache_write_input_tokens")),
    (6, attrgetter("reasoning_output_tokens")),
)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the record at an index is no usage event."""

    index: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """The events among some records, and why the others are none.

    `places` are the indexes of the records that the events come from, ascending; `time_us` counts
    microseconds from 1970; `tenants` and `series` are numbers of `Labels`; `measures` has the shape
    (events, measures). `adjusting` marks events that are, or half are, debits or credits.
    """

    count: int
    places: Ints
    time_us: Ints
    tenants: Ints
    series: Ints
    identities: list[bytes]
    measures: Ints
    adjusting: NDArray[np.bool_]
    failures: list[Failure]

    def cut(self, start: int, end: int) -> Decoded:
        """What was decoded of an index range of the records."""
        if start == 0 and end == self.count:
            return self
        first, last = np.searchsorted(self.places, (start, end)).tolist()
        return Decoded(
            end - start,
            self.places[first:last] - start,
            self.time_us[first:last],
            self.tenants[first:last],
            self.series[first:last],
            self.identities[first:last],
            self.measures[first:last],
            self.adjusting[first:last],
            [
                Failure(failure.index - start, failure.code, failure.message)
                for failure in self.failures
                if start <= failure.index < end
            ],
        )


def joined(parts: Sequence[Decoded]) -> Decoded:
    """Join what was decoded of one stretch of records after the other."""
    if len(parts) == 1:
        return parts[0]
    starts = list(accumulate([part.count for part in parts], initial=0))
    return Decoded(
        starts[-1],
        np.concatenate([part.places + start for part, start in zip(parts, starts, strict=False)]),
        np.concatenate([part.time_us for part in parts]),
        np.concatenate([part.tenants for part in parts]),
        np.concatenate([part.series for part in parts]),
        list(chain.from_iterable(part.identities for part in parts)),
        np.concatenate([part.measures for part in parts]),
        np.concatenate([part.adjusting for part in parts]),
        [
            Failure(failure.index + start, failure.code, failure.message)
            for part, start in zip(parts, starts, strict=False)
            for failure in part.failures
        ],
    )


def decode(values: Sequence[bytes | None], labels: Labels) -> Decoded:
    """Decode the values of records; one without a value is no event."""
    events, failures = decode_many([value or b"" for value in values])
    places = np.arange(len(values))
    if failures:
        places = np.delete(places, list(failures))
    gateways = labels.gateways_of(events)
    return Decoded(
        len(values),
        places,
        times_us(events),
        np.array([tenant for tenant, _ in gateways], np.int64),
        np.array(labels.series_of(events), np.int64),
        [
            xxh3_128_digest(prefix + event.id)
            for (_, prefix), event in zip(gateways, events, strict=True)
        ],
        measures(events),
        adjusting(events),
        [Failure(index, error.code, error.message) for index, error in failures.items()],
    )


def times_us(events: Sequence[UncheckedEvent]) -> Ints:
    """Event times in microseconds since 1970.

    Exact for all times that `schemas.wire.problem` lets pass: until 2100 a float of seconds is
    less than half a microsecond off. Beyond, only the order of magnitude matters.
    """
    seconds = np.array([event.time.timestamp() for event in events], np.float64)
    return np.rint(seconds * 1e6).astype(np.int64)


def adjusting(events: Sequence[UncheckedEvent]) -> NDArray[np.bool_]:
    """Say which events are, or half are, adjustments: they need a closer look."""
    if (
        any([event.adjusts for event in events])
        or any([event.reason for event in events])
        or ({event.entry for event in events} - {"usage"})
    ):
        plain = ("usage", None, None)
        return np.array([(event.entry, event.adjusts, event.reason) != plain for event in events])
    return np.zeros(len(events), np.bool_)


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
