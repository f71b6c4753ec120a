from __future__ import annotations

import pytest

from bench.peers.task import Report, Task, parse_report, print_report, read_task, task_env

TASK = Task("127.0.0.1:1", "topic", 4, 1000, "group", 8123, "folder")
REPORT = Report(1000, 1.5, 10, 20, {"package": "1"}, 0.5)


def test_a_task_survives_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in task_env(TASK).items():
        monkeypatch.setenv(name, value)
    assert read_task() == TASK


def test_a_report_is_found_among_other_output(capsys: pytest.CaptureFixture[str]) -> None:
    print("starting")
    print_report(REPORT)
    print("stopping")
    assert parse_report(capsys.readouterr().out) == REPORT


def test_the_second_half_may_be_left_out() -> None:
    line = (
        'REPORT {"events": 1, "seconds": 2, "input_tokens": 3, "output_tokens": 4, "versions": {}}'
    )
    assert parse_report(line) == Report(1, 2, 3, 4, {}, None)


def test_without_a_report_there_is_none() -> None:
    assert parse_report("Traceback\nValueError: no") is None
