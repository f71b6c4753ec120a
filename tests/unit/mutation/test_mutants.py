"""Mutants of small texts, by hand; and that a planted one is what the tests run against."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.planting import ROOT, Outcome
from tests.mutation.run import finding

TEXT = '''
"""Docstring, 1 + 1."""
WAIT_SECONDS = 10
WAIT_SECONDS_MAX: Final = 60
LIMIT: int = 7


def passed(count: "int | None", names: list[str]) -> bool:
    assert count is not None
    logger.info("passed", count=count + 1)
    if (count
            < 3) and not names:
        raise ValueError(f"too few: {count + 1}")
    names.append("é" + "b")
    self.total = count
    if done:
        return False
    return (count & 3) == 1
'''


def changes(text: str) -> list[tuple[str, str, str]]:
    return [(mutant.kind, mutant.old, mutant.new) for mutant in mutants_of("m.py", text)]


def test_each_change_of_meaning_once_and_nothing_that_has_none() -> None:
    assert sorted(changes(TEXT)) == sorted(
        [
            ("number", "7", "8"),
            ("comparison", "<", "<="),
            ("number", "3", "4"),
            ("logic", "and", "or"),
            ("negation", "not names", "names"),
            (
                "condition",
                "(count\n            < 3) and not names",
                "(not ((count\n            < 3) and not names))",
            ),
            ("left out", 'raise ValueError(f"too few: {count + 1}")', "pass"),
            ("left out", 'names.append("é" + "b")', "pass"),
            ("left out", "self.total = count", "pass"),
            ("condition", "done", "(not (done))"),
            ("constant", "False", "True"),
            ("arithmetic", "&", "|"),
            ("number", "3", "4"),
            ("comparison", "==", "!="),
            ("number", "1", "2"),
            ("return", "(count & 3) == 1", "None"),
        ]
    )


def test_a_mutant_is_the_text_with_that_change_alone() -> None:
    for mutant in mutants_of("m.py", TEXT):
        planted = mutant.planted_in(TEXT)
        compile(planted, "m.py", "exec")
        assert len(planted.encode()) - len(TEXT.encode()) == len(mutant.new.encode()) - len(
            mutant.old.encode()
        )
        assert planted != TEXT and "é" in planted + mutant.old


IN_A_NEW_PROCESS = """
from tests.mutation.planting import run_tests
test = ["tests/unit/services/aggregator/core/test_watch.py"]
assert run_tests({}, test).passed
broken = run_tests({"services/aggregator/core/watch.py": "raise RuntimeError('planted')"}, test)
assert broken.ran and not broken.passed and "planted" in broken.output
"""


def test_the_tests_meet_the_text_that_is_given() -> None:
    subprocess.run([sys.executable, "-c", IN_A_NEW_PROCESS], cwd=ROOT, check=True)


def test_what_a_class_derives_from_is_left_alone() -> None:
    text = "class Values(Sequence[bytes | None]):\n    limit = 3\n"
    assert changes(text) == [("number", "3", "4")]


def test_that_lengths_are_equal_is_an_assertion() -> None:
    assert changes("pairs = zip(a, b, strict=True)\n") == []


def mutant_of(text: str) -> Mutant:
    return mutants_of("m.py", text)[0]


def test_a_module_that_cannot_be_imported_is_seen_and_tests_that_cannot_be_run_are_not() -> None:
    mutant = mutant_of("x = 1\n")
    broken = Outcome(4, "ERROR collecting tests/unit/test_m.py\nTypeError", 0.1)
    assert finding(mutant, 1, broken).caught
    with pytest.raises(SystemExit, match="could not be run"):
        finding(mutant, 1, Outcome(4, "ERROR: file or directory not found", 0.1))
