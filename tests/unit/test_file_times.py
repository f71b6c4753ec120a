"""Of a long run, which files of tests took long."""

from __future__ import annotations

from typing import Literal

import pytest

from tests.file_times import FILES_MAX, lines


def report(
    name: str, seconds: float, when: Literal["setup", "call", "teardown"] = "call"
) -> pytest.TestReport:
    return pytest.TestReport(name, ("", 0, ""), {}, "passed", None, when, duration=seconds)


def test_set_up_and_every_test_of_a_file_count() -> None:
    told = lines(
        [
            report("tests/a/test_one.py::test_x[1]", 100.4),
            report("tests/a/test_one.py::test_x[2]", 50),
            report("tests/b/test_two.py::test_y", 240, "setup"),
            report("tests/b/test_two.py::test_y", 20, "teardown"),
            report("tests/c/test_three.py::test_z", 1),
        ]
    )
    assert [line.split() for line in told] == [
        ["260", "b/test_two.py", "150", "a/test_one.py"],
        ["1", "c/test_three.py", "0", "0", "other", "files"],
    ]


def test_what_took_least_is_one_line() -> None:
    told = lines([report(f"tests/test_{number}.py::test", 10) for number in range(FILES_MAX + 3)])
    assert told[-1].split() == ["30", "3", "other", "files"]


def test_of_a_short_run_nothing_is_said() -> None:
    assert lines([report("tests/test_a.py::test", 299)]) == []
    assert lines([]) == []
