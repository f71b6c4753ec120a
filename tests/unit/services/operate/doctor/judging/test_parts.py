"""What is said of parts, merges, mutations and replicas."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.operate.doctor.finding import Level
from services.operate.doctor.judging.parts import Crowd, Merging, Mutation, Replica, judge

WELL = Merging((Crowd("slices_hour", "202611", 12),), 1000, 3000, (), 60, (), ())


def test_a_database_that_keeps_up_is_one_finding() -> None:
    (finding,) = judge(WELL)
    assert finding.level is Level.OK
    assert "at most 12 in a partition" in finding.found


@pytest.mark.parametrize(
    ("fault", "level", "what"),
    [
        ({"crowds": (Crowd("t", "p", 500),)}, Level.WARNING, "parts of t"),
        ({"crowds": (Crowd("t", "p", 1000),)}, Level.ERROR, "parts of t"),
        ({"longest_merge_seconds": 5 * 3600}, Level.WARNING, "merges"),
        ({"mutations": (Mutation("t", "DELETE", 10, "no"),)}, Level.ERROR, "mutation of t"),
        ({"mutations": (Mutation("t", "DELETE", 3601, ""),)}, Level.WARNING, "mutation of t"),
        ({"detached": (("t", "", 2),)}, Level.WARNING, "detached parts of t"),
        ({"detached": (("t", "broken-on-start", 2),)}, Level.ERROR, "detached parts of t"),
        ({"replicas": (Replica("t", True, 0),)}, Level.ERROR, "replica of t"),
        ({"replicas": (Replica("t", False, 301),)}, Level.WARNING, "replica of t"),
    ],
)
def test_what_is_stuck_is_told(fault: dict[str, Any], level: Level, what: str) -> None:
    (finding,) = judge(replace(WELL, **fault))
    assert (finding.level, finding.what) == (level, what)
    assert finding.remedy


def test_a_mutation_that_just_began_and_a_replica_that_follows_are_well() -> None:
    running = replace(
        WELL, mutations=(Mutation("t", "DELETE", 5, ""),), replicas=(Replica("t", False, 3),)
    )
    assert [one.level for one in judge(running)] == [Level.OK]
