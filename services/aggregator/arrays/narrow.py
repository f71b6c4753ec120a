"""PURE. Rows of numbers whose last columns are left out as long as nothing in them is above 0.

Most batches and most families of slices have a few of the measures only: the others cost memory and
time from when on something has them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.aggregator.arrays.key_index import Ints


def no_rows(rows: int, width: int) -> Ints:
    """Rows of zeros, laid out by column: that is how they are summed."""
    return np.zeros((rows, width), np.int64, order="F")


def widened(rows: Ints, width: int) -> Ints:
    """The same rows with so many columns, or as many more as they have."""
    lacking = width - rows.shape[1]
    return rows if lacking <= 0 else np.concatenate((rows, no_rows(len(rows), lacking)), axis=1)


def narrowed(rows: Ints, width: int) -> Ints:
    """The same rows with so many columns, if there is nothing in the others."""
    return rows if rows[:, width:].any() else rows[:, :width]


def stacked(parts: Sequence[Ints]) -> Ints:
    """Rows of several, as wide as the widest of them."""
    width = max(part.shape[1] for part in parts)
    return np.concatenate([widened(part, width) for part in parts])
