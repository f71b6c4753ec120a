"""PURE: notices a call that is reported twice, and not alike.

The first report of an identity is metered and the second is a duplicate, whichever knew more: two
callbacks of one LiteLLM, of which one leaves out what came from a cache. Here the counts of what
was taken are remembered for a while, so that the difference is known: a tier or a lifetime of a
cache as well, which one report may have and the other not. It is remembered in one process, so of
several ingests each sees what reaches itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Final, Literal

from services.ingest.batches import Counts
from services.ingest.records import Record

#: How many calls are remembered: some 15 MB, twice that where all tell all.
REMEMBERED_MAX: Final = 50_000
KINDS: Final = ("input", "output", "cache_read", "cache_write", "reasoning")
Better = Literal["first", "second", "neither"]


@dataclass(slots=True)
class Differences:
    """What second reports told otherwise than the first."""

    #: By the formats of the first and of the second report, and by which of them knew more.
    reports: Counter[tuple[str, str, Better]] = field(default_factory=Counter)
    #: Tokens by kind that a second report told and the first, which is metered, did not.
    unmetered_tokens: Counter[str] = field(default_factory=Counter)


class DoubleReports:
    """Remembers what was taken last, and compares."""

    def __init__(self, remembered_max: int = REMEMBERED_MAX) -> None:
        self._remembered_max = remembered_max
        #: Oldest first.
        self._first: dict[bytes, tuple[str, Counts]] = {}

    def note(
        self, reported_as: str, records: Sequence[Record], counts: Sequence[Counts]
    ) -> Differences:
        """Take note of reports that were taken, in their order."""
        differences = Differences()
        first = self._first
        # What went the quick way has no counts: native events are made by one hand.
        for record, second_counts in zip(records, counts, strict=False):
            known = first.setdefault(record["key"], (reported_as, second_counts))
            if known[1] != second_counts:
                name = (known[0], reported_as, better(known[1], second_counts))
                differences.reports[name] += 1
                differences.unmetered_tokens.update(_more(known[1], second_counts))
        while len(first) > self._remembered_max:
            del first[next(iter(first))]
        return differences


def better(first: Counts, second: Counts) -> Better:
    """Say which of two reports with distinct counts knew more; neither where they contradict."""
    if _adds_to(first, second):
        return "second"
    return "first" if _adds_to(second, first) else "neither"


def _adds_to(less: Counts, more: Counts) -> bool:
    return all(one is None or one == other for one, other in zip_longest(less, more))


def _more(first: Counts, second: Counts) -> dict[str, int]:
    told = zip(KINDS, _tokens(first), _tokens(second), strict=True)
    return {kind: two - one for kind, one, two in told if two > one}


def _tokens(counts: Counts) -> tuple[int, ...]:
    tokens_in, output, read, written, reasoning, *_ = counts
    return tokens_in, output, read or 0, written or 0, reasoning or 0
