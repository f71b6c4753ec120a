"""How many examples a test draws: fewer where it is run once more on another version."""

from __future__ import annotations

import os

#: Set for such runs: tests/versions/child.py, tests/integration/test_versions_python.py.
BRIEF = "TESTS_BRIEF"
BRIEF_PART = 4


def examples(most: int) -> int:
    """Give how many to draw; in full they are drawn on the local stack's versions."""
    return max(1, most // BRIEF_PART) if os.environ.get(BRIEF) else most
