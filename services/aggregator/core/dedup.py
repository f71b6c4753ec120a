"""The duplicate rule, and the ids seen that it decides by.

A duplicate is an event whose identity was seen in the same log partition less than the horizon
before it, measured in log-append time. Every sighting counts, a duplicate's too: so the answer
is a function of the last horizon of the log alone, and the same on every worker. Events that the
time rules refuse are not seen: sent again at a better time, they count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from services.aggregator.core.slices import Ints


class SeenIds:
    """The identities seen within the horizon, in memory, oldest sighting first.

    Append times handed in must not fall; the caller sees to that.
    """

    __slots__ = ("_last_seen_ms",)

    def __init__(self) -> None:
        # A dict keeps insertion order; a sighting moves its id to the end, so the oldest come
        # first and expiry never looks at an id that stays.
        self._last_seen_ms: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._last_seen_ms)

    def see_all(self, identities: Sequence[bytes], append_ms: Ints, horizon_ms: int) -> list[int]:
        """Record sightings, oldest first, and give the indexes of those that are duplicates."""
        seen = self._last_seen_ms
        unlike = set(identities)
        doubtful = seen.keys() & unlike
        if len(unlike) < len(identities):
            doubtful |= repeated(identities)
        duplicates: list[int] = []
        # Records of one Kafka batch bear one append time: whole runs are taken over at once.
        for start, end in runs(append_ms):
            run, now_ms = identities[start:end], int(append_ms[start])
            if not doubtful or doubtful.isdisjoint(run):
                seen.update(dict.fromkeys(run, now_ms))
                continue
            for index, identity in enumerate(run, start):
                last_ms = seen.pop(identity, None)
                seen[identity] = now_ms
                if last_ms is not None and now_ms - last_ms < horizon_ms:
                    duplicates.append(index)
        return duplicates

    def forget(self, append_ms: int, horizon_ms: int) -> None:
        """Drop the ids that can make nothing appended at ``append_ms`` or later a duplicate."""
        expired = []
        for identity, last_ms in self._last_seen_ms.items():
            if append_ms - last_ms < horizon_ms:
                break
            expired.append(identity)
        for identity in expired:
            del self._last_seen_ms[identity]


def runs(values: Ints) -> Iterator[tuple[int, int]]:
    """Cut into stretches of equal values: index ranges."""
    if not len(values):
        return iter(())
    edges = (np.flatnonzero(values[1:] != values[:-1]) + 1).tolist()
    return zip([0, *edges], [*edges, len(values)], strict=True)


def repeated(identities: Iterable[bytes]) -> set[bytes]:
    """The identities that occur more than once."""
    once: set[bytes] = set()
    again: set[bytes] = set()
    for identity in identities:
        (again if identity in once else once).add(identity)
    return again
