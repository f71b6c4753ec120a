"""How many examples a test draws: fewer where it is run once more on another version."""

from __future__ import annotations

import os
from collections.abc import Sequence
from random import Random
from typing import TypeVar

import pytest

T = TypeVar("T")
#: Set for such runs: tests/versions/child.py, tests/integration/test_versions_python.py.
BRIEF = "TESTS_BRIEF"
BRIEF_PART = 4


def brief() -> bool:
    """Whether it is `make check` that runs, or such a run once more."""
    return bool(os.environ.get(BRIEF))


def some(cases: Sequence[T]) -> Sequence[T]:
    """Give all of what is gone through one by one, or the same quarter of it each time."""
    return Random(1).sample(cases, examples(len(cases))) if brief() else cases


def examples(most: int) -> int:
    """Give how many to draw; in full they are drawn on the local stack's versions."""
    return max(1, most // BRIEF_PART) if brief() else most


#: For what takes long and proves the tests rather than the code: `make check` leaves it out.
in_full_only = pytest.mark.skipif(brief(), reason="`make test` runs it, and `make check` does not")
