"""How many examples a test draws: fewer where it is run once more on another ClickHouse."""

from __future__ import annotations

import os

#: Set for such runs (tests/versions/child.py).
BRIEF = "TESTS_BRIEF"
BRIEF_PART = 4


def examples(most: int) -> int:
    """Give how many to draw; the same data were drawn in full on the local stack's version."""
    return max(1, most // BRIEF_PART) if os.environ.get(BRIEF) else most
