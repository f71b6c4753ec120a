"""PURE. How many different keys so many events have: expected, from how frequent keys are.

A key is a tuple, such as (tenant, model, region, partition), whose members are drawn apart from
each other. Keys of about the same frequency are counted together, so a billion of them cost
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Frequencies that differ by less than this factor (as a logarithm) are taken for one.
STEP: Final = 0.05


@dataclass(frozen=True, slots=True)
class Keys:
    """``counts[i]`` keys of which each is an event's with probability ``shares[i]``."""

    shares: NDArray[np.float64]
    counts: NDArray[np.float64]

    @property
    def count(self) -> float:
        """How many there are."""
        return float(self.counts.sum())

    def distinct(self, events: float) -> float:
        """How many of them so many events are expected to have."""
        return float((self.counts * -np.expm1(-events * self.shares)).sum())


def uniform(count: int) -> Keys:
    """Keys that are equally frequent."""
    return Keys(np.array([1 / count]), np.array([float(count)]))


def zipf(count: int) -> Keys:
    """The n-th of them has 1/n of the first one's events."""
    # Each of the first for itself; further on neighbours together, by the mean of 1/n.
    edges = np.unique(np.geomspace(1, count + 1, 20_000).astype(np.int64))
    if edges[-1] != count + 1:
        edges = np.append(edges, count + 1)
    counts = np.diff(edges).astype(np.float64)
    means = np.where(counts == 1, 1 / edges[:-1], np.log(edges[1:] / edges[:-1]) / counts)
    return _gathered(np.log(means / (means * counts).sum()), counts)


def of(*members: Keys) -> Keys:
    """Tuples of them, one of each."""
    return reduce(_pairs, members)


def _pairs(one: Keys, other: Keys) -> Keys:
    logs = np.log(one.shares)[:, None] + np.log(other.shares)[None, :]
    counts = one.counts[:, None] * other.counts[None, :]
    return _gathered(logs.ravel(), counts.ravel())


def _gathered(logs: NDArray[np.float64], counts: NDArray[np.float64]) -> Keys:
    """Keys of about one frequency together; their shares still add up to 1."""
    places = np.round(logs / STEP).astype(np.int64)
    kinds, place = np.unique(places, return_inverse=True)
    gathered = np.bincount(place, counts, len(kinds)).astype(np.float64)
    shares = np.bincount(place, counts * np.exp(logs), len(kinds)) / gathered
    return Keys(shares, gathered)
