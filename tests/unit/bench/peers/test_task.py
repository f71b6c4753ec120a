from __future__ import annotations

import pytest

from bench.peers.grain import summed
from bench.peers.task import (
    Clock,
    Report,
    Task,
    parse_report,
    print_report,
    read_task,
    reported,
    task_env,
)

TASK = Task("127.0.0.1:1", "topic", 4, 1000, "group", 8123, "folder", "hour")
REPORT = Report(1000, 1e9, 1.5, 10, 20, 3, 1 << 63, {"package": "1"}, 0.5)


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
        'REPORT {"events": 1, "started_at": 2, "seconds": 3, "input_tokens": 4,'
        ' "output_tokens": 5, "groups": 6, "fingerprint": 7, "versions": {}}'
    )
    assert parse_report(line) == Report(1, 2, 3, 4, 5, 6, 7, {}, None)


def test_without_a_report_there_is_none() -> None:
    assert parse_report("Traceback\nValueError: no") is None


def test_sums_by_key_become_a_report() -> None:
    clock = Clock()
    clock.stop()
    found = reported(clock, 3, {"60|eu|a": [5, 1], "60|eu|b": (2, 0)}, {"package": "1"})
    sums = summed([("60|eu|a", 5, 1), ("60|eu|b", 2, 0)])
    assert (found.events, found.input_tokens, found.output_tokens) == (3, 7, 1)
    assert (found.groups, found.fingerprint) == (sums.groups, sums.fingerprint)
    assert found.started_at == clock.started_at
    assert found.seconds >= 0
