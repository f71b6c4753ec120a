"""From the bytes of records to columns: what each event says, before anything is judged.

A pure function of the bytes, but for the numbers of labels: so it may run ahead of everything
else, and elsewhere. All columns are parallel: the n-th entry of each is about the n-th event.

Events of a known form, Wattoken's own (`decoding.canonical`) or one that was learnt
(`decoding.known_forms`), are read all together, the others one by one (`schemas.wire`), with the
same outcome.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from schemas.wire import decode_many
from services.aggregator.arrays.byte_spans import Buffer, Words, may_have_finer_times
from services.aggregator.arrays.frames import Frames, frames_of
from services.aggregator.arrays.key_index import Ints
from services.aggregator.arrays.narrow import stacked
from services.aggregator.arrays.seen_hash import seen_hashes
from services.aggregator.decoding.amounts import (
    adjusting,
    measures,
    quick_measures,
    quick_units,
    tiers,
    times_us,
    units,
)
from services.aggregator.decoding.gateways import Gateways
from services.aggregator.decoding.known_forms import KnownForms, Part, learn_labels, of_no_form
from services.aggregator.decoding.labels import Labels

#: Gateways remembered at once; beyond this all that is known of texts is learnt again.
GATEWAYS_MAX: Final = 500_000
#: The same for texts of labels: each form knows its own.
TEXTS_MAX: Final = 600_000


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
    microseconds from 1970; `tenants` and `series` are numbers of `Labels`; `tiers` are 0 where none
    is reported, else 1 + the place in `SERVICE_TIERS`; `identities` has the shape (events, 2).
    `measures` has the shape (events, `USUAL`), or (events, measures) if any of the others is above
    0, and `units` (events, 0), or (events, units). `adjusting` marks events that are, or half are,
    debits or credits.
    """

    count: int
    places: Ints
    time_us: Ints
    tenants: Ints
    series: Ints
    tiers: Ints
    identities: Words
    measures: Ints
    units: Ints
    adjusting: NDArray[np.bool_]
    failures: list[Failure]

    def cut(self, start: int, end: int) -> Decoded:
        """What was decoded of an index range of the records."""
        if start == 0 and end == self.count:
            return self
        first, last = np.searchsorted(self.places, (start, end)).tolist()
        part = self.chosen(slice(first, last))
        failures = [
            Failure(failure.index - start, failure.code, failure.message)
            for failure in self.failures
            if start <= failure.index < end
        ]
        return replace(part, count=end - start, places=part.places - start, failures=failures)

    def chosen(self, events: slice | Ints) -> Decoded:
        """The same with some of the events, or in another order."""
        return replace(self, **{name: getattr(self, name)[events] for name in COLUMNS})


#: What of `Decoded` has an entry for each event.
COLUMNS: Final = (
    *("places", "time_us", "tenants", "series", "tiers", "identities"),
    *("measures", "units", "adjusting"),
)
#: Of these, those that may be narrower in one part than in another.
NARROW: Final = ("measures", "units")


def joined(parts: Sequence[Decoded]) -> Decoded:
    """Join what was decoded of one stretch of records after the other."""
    if len(parts) == 1:
        return parts[0]
    starts = list(accumulate([part.count for part in parts], initial=0))
    moved = [
        replace(
            part,
            places=part.places + start,
            failures=[
                Failure(failure.index + start, failure.code, failure.message)
                for failure in part.failures
            ],
        )
        for part, start in zip(parts, starts, strict=False)
    ]
    return together(starts[-1], moved)


def together(count: int, parts: Sequence[Decoded]) -> Decoded:
    """Put together what was decoded of so many records, their places being those among all."""
    columns: dict[str, Any] = {
        name: (stacked if name in NARROW else np.concatenate)(
            [getattr(part, name) for part in parts]
        )
        for name in COLUMNS
    }
    failures = [failure for part in parts for failure in part.failures]
    return Decoded(count=count, failures=failures, **columns)


class Decoder:
    """Decodes the values of records; remembers forms and labels that it met, for speed only."""

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self._gateways = Gateways(labels)
        self._forms = KnownForms()

    def decode(self, frames: Frames) -> Decoded:
        """Decode values; an empty one, of a record without a value, is no event."""
        if len(self._gateways) > GATEWAYS_MAX or self._forms.texts > TEXTS_MAX:
            self._gateways = Gateways(self.labels)
            self._forms.forget_labels()
        done, left = [], np.ones(len(frames), np.bool_)
        parts = list(self._forms.read(frames))
        for part in parts:
            known = part.found.good & (part.gateways >= 0) & (part.series >= 0)
            if len(parts) == 1 and len(part.rows) == len(frames) and known.all():
                return self._quick(frames.buffer, part, slice(None))
            rows = np.flatnonzero(known)
            done.append(self._quick(frames.buffer, part, rows))
            left[part.rows[rows]] = False
        rest = np.flatnonzero(left)
        if len(rest) or not done:
            done.append(self._one_by_one(frames, rest, parts))
        every = together(len(frames), done)
        return every.chosen(np.argsort(every.places))

    def _quick(self, buffer: Buffer, part: Part, only: Ints | slice) -> Decoded:
        """What was read of some of the events of a form, whose labels are known."""
        found, gateways = part.found, part.gateways[only]
        starts, lengths = found.ids
        numbers = {name: column[only] for name, column in found.numbers.items()}
        tiers = numbers.pop("service_tier", None)
        rows = part.rows[only]
        return Decoded(
            len(rows),
            rows,
            found.time_us[only],
            self._gateways.tenants[gateways],
            part.series[only],
            np.zeros(len(rows), np.int64) if tiers is None else tiers,
            seen_hashes(buffer, starts[only], lengths[only], self._gateways.seeds[gateways]),
            quick_measures(numbers),
            quick_units(numbers),
            np.zeros(len(rows), np.bool_),
            [],
        )

    def _one_by_one(self, frames: Frames, rows: Ints, parts: Sequence[Part]) -> Decoded:
        """Decode some of the values with the decoder; learn their forms and labels."""
        values = frames.values(rows)
        events, failures = decode_many(values, finer_times=may_have_finer_times(values))
        places = np.delete(rows, list(failures)) if failures else rows
        gateways = np.array(
            [self._gateways.number(event.tenant, event.source) for event in events], np.int64
        )
        series = np.array(self.labels.series_of(events), np.int64)
        learn_labels(frames.buffer, parts, places, gateways, series)
        self._forms.learn(frames, places[of_no_form(parts, places)])
        ids = frames_of([event.id.encode() for event in events])
        return Decoded(
            len(rows),
            places,
            times_us(events),
            self._gateways.tenants[gateways],
            series,
            tiers(events),
            seen_hashes(
                ids.buffer, ids.starts, ids.ends - ids.starts, self._gateways.seeds[gateways]
            ),
            measures(events),
            units(events),
            adjusting(events),
            [
                Failure(int(rows[index]), error.code, error.message)
                for index, error in failures.items()
            ],
        )
