"""How many examples a test draws: a part of them, but each night and for each release all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")
#: Set by `make check` and `make test`, and where tests are run once more on another version
#: (tests/versions/child.py, tests/integration/test_versions_python.py); `make nightly` sets it not.
BRIEF = "TESTS_BRIEF"
BRIEF_PART = 4
#: So many are drawn all the same, if there are: the first that hypothesis draws are the simplest.
EXAMPLES_MIN = 3


def brief() -> bool:
    """Whether a part is enough."""
    return bool(os.environ.get(BRIEF))


def some(cases: Sequence[T]) -> Sequence[T]:
    """Give all of what is gone through one by one, or the same quarter of it each time."""
    return Random(1).sample(cases, examples(len(cases))) if brief() else cases


def examples(most: int) -> int:
    """Give how many to draw of so many."""
    return max(min(most, EXAMPLES_MIN), most // BRIEF_PART) if brief() else most
