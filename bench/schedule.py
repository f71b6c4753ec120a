"""Who runs when, and what is made of the runs."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence


def interleaved(names: Sequence[str], runs: int) -> Iterator[tuple[int, str]]:
    """Yield (run, name) as A B C … A B C …: a machine that slows down slows all of them alike."""
    for run in range(1, runs + 1):
        for name in names:
            yield run, name


def medians(runs: Mapping[str, Iterable[float]]) -> dict[str, float]:
    """The median of each name's runs; a name without any valid run is left out."""
    return {name: statistics.median(values) for name, found in runs.items() if (values := [*found])}


def percentile(values: Iterable[float], percent: float) -> float:
    """The smallest value that at least ``percent`` of the values do not exceed (nearest rank).

    Raises ValueError without values.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values, no percentile")
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, int(rank) - 1)]
