from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import machine
from bench.durability import Durability
from bench.exporter import Scraped
from bench.freshness import Freshness
from bench.ingest import IngestRun
from bench.processor_time import ProcessorTime
from bench.recovery import Recovery
from bench.results import Measured, document, ratios, write
from services.local_stack.process_table import Memory


@pytest.fixture
def measured() -> Measured:
    return Measured(
        settings={"events": 10},
        events_per_second={"wattoken": [300.4, 100.0, 200.0], "kafka_streams": [50.0], "gone": []},
        events={"wattoken": 10, "kafka_streams": 10, "gone": 10},
        versions={"kafka": "4"},
        memory=[Memory(90.0, 100.0), Memory(95.0, 120.0), Memory(80.0, 110.0)],
        processors={
            "wattoken": [ProcessorTime(2.0, {"worker": 0.751}, 0.249, [], {"worker": 99.6})],
            "kafka_streams": [ProcessorTime(2.0, {"kafka_streams": 1.5}, 0.5, [])],
        },
        recovery=[Recovery(7, 2.5, 300_000.0, 100.0)],
        rebuilding=[Recovery(7, 2.5, 600_000.0, 100.0)],
        freshness=[Freshness(0.5, seconds, 2.0, 9, 10.0, 0) for seconds in (1.0, 3.0, 2.0)],
        void=["gone, run 1: why"],
    )


def test_benchmarks_are_medians_under_the_promised_names(measured: Measured) -> None:
    contents = document(measured)
    assert contents["benchmarks"] == {
        "aggregator": {"wattoken": 200, "kafka_streams": 50},
        "aggregator_memory_mb": 110.0,
        "recovery_seconds": 2.5,
        "rebuilt_ids_per_second": 600_000.0,
        "rebuilt_ids_per_second_with_new_tenants": 300_000.0,
        "freshness_p99_seconds": 2.0,
    }


def test_durability_is_told_by_part_with_fsync_and_without(measured: Measured) -> None:
    measured.durability = [
        Durability("kafka", True, 100.0, 5.0),
        Durability("kafka", False, 900.0, 0.25),
        Durability("kafka", True, 300.0, 7.0),
        Durability("kafka", True, 200.0, 9.0),
    ]
    contents = document(measured)
    assert contents["benchmarks"]["durability"] == {
        "kafka_synced": {"events_per_second": 200, "single_ms": 7.0},
        "kafka_unsynced": {"events_per_second": 900, "single_ms": 0.25},
    }
    assert len(contents["durability_runs"]) == 4


def test_every_run_is_kept(measured: Measured) -> None:
    contents = document(measured)
    assert contents["aggregator_runs"] == {
        "wattoken": [300, 100, 200],
        "kafka_streams": [50],
        "gone": [],
    }
    assert [run["peak_mb"] for run in contents["aggregator_memory_runs"]] == [100, 120, 110]
    assert contents["aggregator_processor_runs"].keys() == {"wattoken", "kafka_streams"}
    (processors,) = contents["aggregator_processor_runs"]["wattoken"]
    assert (processors["by_program"], processors["idle"]) == ({"worker": 0.75}, 0.25)
    assert processors["memory_peak_mb"] == {"worker": 99.6}
    (recovery,) = contents["recovery_runs"]
    assert (recovery["slices"], recovery["seconds"], recovery["peak_mb"]) == (7, 2.5, 100.0)
    assert [run["p99_seconds"] for run in contents["freshness_runs"]] == [1.0, 3.0, 2.0]
    assert contents["void_runs"] == ["gone, run 1: why"]


def test_what_was_not_measured_has_no_number(measured: Measured) -> None:
    measured.recovery.clear()
    measured.rebuilding.clear()
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


def test_ingest_has_the_promised_names_and_every_run(measured: Measured) -> None:
    runs = (1.0, 3.0, 2.0)
    measured.ingest = [IngestRun(*(number * 1000 + place for place in range(8))) for number in runs]
    contents = document(measured)
    assert contents["benchmarks"]["ingest"] == {
        "batch_events_per_second": 2000,
        "single_requests_per_second": 2002,
        "single_p99_ms": 2005,
        "empty_handler_requests_per_second": 2006,
    }
    assert [run["batch_events_per_cpu_second"] for run in contents["ingest_runs"]] == [
        *(1001, 3001, 2001)
    ]


def test_the_exporter_is_a_group_of_its_own_medians(measured: Measured) -> None:
    for p99_ms in (250.04, 900.0, 200.0):
        measured.exporter.append(Scraped(p99_ms, 100.0, 120.5, 10_000, 50_000_000, 120, 9.5))
    contents = document(measured)
    assert contents["benchmarks"]["exporter"] == {
        "scrape_p99_ms": 250.04,
        "rss_mb": 120.5,
        "series": 10_000,
        "minute_slices": 50_000_000,
    }
    assert [run["scrape_p99_ms"] for run in contents["exporter_runs"]] == [250.04, 900, 200]
