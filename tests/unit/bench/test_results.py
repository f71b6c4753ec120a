from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import machine
from bench.freshness import Freshness
from bench.recovery import Recovery
from bench.results import Measured, document, ratios, write
from bench.worker import Memory


@pytest.fixture
def measured() -> Measured:
    return Measured(
        settings={"events": 10},
        events_per_second={"wattoken": [300.4, 100.0, 200.0], "kafka_streams": [50.0], "gone": []},
        events={"wattoken": 10, "kafka_streams": 10, "gone": 10},
        versions={"kafka": "4"},
        memory=[Memory(90.0, 100.0), Memory(95.0, 120.0), Memory(80.0, 110.0)],
        recovery=[Recovery(7, 2.5, 100.0)],
        freshness=[Freshness(0.5, seconds, 2.0, 9, 10.0, 0) for seconds in (1.0, 3.0, 2.0)],
        void=["gone, run 1: why"],
    )


def test_benchmarks_are_medians_under_the_promised_names(measured: Measured) -> None:
    contents = document(measured)
    assert contents["benchmarks"] == {
        "aggregator": {"wattoken": 200, "kafka_streams": 50},
        "aggregator_memory_mb": 110.0,
        "recovery_seconds": 2.5,
        "freshness_p99_seconds": 2.0,
    }


def test_every_run_is_kept(measured: Measured) -> None:
    contents = document(measured)
    assert contents["aggregator_runs"] == {
        "wattoken": [300, 100, 200],
        "kafka_streams": [50],
        "gone": [],
    }
    assert [run["peak_mb"] for run in contents["aggregator_memory_runs"]] == [100, 120, 110]
    assert contents["recovery_runs"] == [{"slices": 7, "seconds": 2.5, "peak_mb": 100.0}]
    assert [run["p99_seconds"] for run in contents["freshness_runs"]] == [1.0, 3.0, 2.0]
    assert contents["void_runs"] == ["gone, run 1: why"]


def test_what_was_not_measured_has_no_number(measured: Measured) -> None:
    measured.recovery.clear()
    measured.freshness.clear()
    assert document(measured)["benchmarks"].keys() == {"aggregator", "aggregator_memory_mb"}


def test_it_says_on_what_when_and_which_commit(measured: Measured) -> None:
    contents = document(measured)
    assert contents["machine"].keys() == {"cpu", "cores", "memory_gb", "os", "versions"}
    assert contents["machine"]["versions"]["kafka"] == "4"
    assert contents["commit"]
    assert contents["date"].endswith("+00:00")


def test_it_names_no_host_and_no_path(measured: Measured) -> None:
    text = json.dumps(document(measured)["machine"])
    assert str(machine.ROOT) not in text
    assert "/home" not in text


def test_ratios_say_how_many_times_the_others_we_are() -> None:
    assert ratios({"wattoken": 200.0, "a": 50.0, "b": 400.0}) == {"a": 4.0, "b": 0.5}
    assert ratios({"a": 50.0}) == {}


def test_write_replaces_the_file_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "results" / "latest.json"
    write(path, {"a": 1})
    write(path, {"b": 2})
    assert json.loads(path.read_text(encoding="utf-8")) == {"b": 2}
    assert list(path.parent.iterdir()) == [path]
