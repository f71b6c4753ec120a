"""Bugs are planted one at a time; the unit tests, which need no processes, must see each."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.mutation.planting import ROOT
from tests.planted.bugs import BUGS, Bug

BUGS_MIN = 40
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, str]]:
    """What became of the tests without a bug, and with each."""
    # In a process of its own, which has not imported the code and so can import it changed.
    done = subprocess.run(
        [sys.executable, "-m", "tests.planted.run"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answer: dict[str, dict[str, str]] = json.loads(done.stdout)
    return answer


def test_there_are_bugs_enough_and_no_two_alike() -> None:
    assert len(BUGS) >= BUGS_MIN
    assert len({bug.name for bug in BUGS}) == len(BUGS)
    assert len({(bug.file, bug.old, bug.new) for bug in BUGS}) == len(BUGS)


@pytest.mark.parametrize("test", sorted({test for bug in BUGS for test in bug.tests}))
def test_without_a_bug_the_tests_pass(test: str, found: dict[str, dict[str, str]]) -> None:
    assert found["without"][test].startswith("passed"), found["without"][test]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_seen(bug: Bug, found: dict[str, dict[str, str]]) -> None:
    said = found["with"][bug.name]
    # A text that does not parse proves nothing.
    assert said.startswith(("failed", "no end")) and "SyntaxError" not in said, said
