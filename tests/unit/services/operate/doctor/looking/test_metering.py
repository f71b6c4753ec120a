"""Whether copies of ids stand for what the log does not have."""

from __future__ import annotations

import pytest

from services.operate.doctor.judging.metering import Checkpoint
from services.operate.doctor.looking.metering import are_copied

KEEP_MS = 1_000
METERED = {0: Checkpoint(100, 5_000), 1: Checkpoint(50, 6_000)}
STARTS = {0: 80, 1: 0}


@pytest.mark.parametrize(
    ("copies", "copied"),
    [
        ({0: (4_000, 80), 1: (0, 10)}, True),
        ({0: (4_001, 80), 1: (0, 10)}, False),
        ({0: (4_000, 79), 1: (0, 10)}, False),
        ({0: (4_000, 80)}, False),
        ({}, False),
    ],
    ids=["all", "too young", "behind the log", "not of all", "none"],
)
def test_copies_must_begin_early_and_reach_the_log(
    copies: dict[int, tuple[int, int]], copied: bool
) -> None:
    assert are_copied(METERED, copies, STARTS, KEEP_MS) == copied


def test_where_nothing_is_metered_nothing_is_copied() -> None:
    assert not are_copied({}, {}, STARTS, KEEP_MS)
