"""How many examples a test draws: fewer where it is run once more on another version."""

from __future__ import annotations

import os

#: Set for such runs: tests/versions/child.py, tests/integration/test_versions_python.py.
BRIEF = "TESTS_BRIEF"
BRIEF_PART = 4


def brief() -> bool:
    """Whether it is `make check` that runs, or such a run once more."""
    return bool(os.environ.get(BRIEF))


def examples(most: int) -> int:
    """Give how many to draw; in full they are drawn on the local stack's versions."""
    return max(1, most // BRIEF_PART) if brief() else most
