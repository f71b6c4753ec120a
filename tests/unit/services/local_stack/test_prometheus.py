"""What Prometheus is told to scrape."""

from __future__ import annotations

import json
from pathlib import Path

from services.local_stack.prometheus import prometheus_config, write_targets


def test_each_service_is_a_job_on_loopback(tmp_path: Path) -> None:
    write_targets(tmp_path, "demo", {"wattoken-exporter": 9700, "wattoken-ingest": 8080})
    groups = json.loads((tmp_path / "demo.json").read_text())
    assert groups == [
        {
            "targets": ["127.0.0.1:9700"],
            "labels": {"job": "wattoken-exporter", "pipeline": "demo"},
        },
        {"targets": ["127.0.0.1:8080"], "labels": {"job": "wattoken-ingest", "pipeline": "demo"}},
    ]


def test_no_half_written_file_is_left_where_prometheus_looks(tmp_path: Path) -> None:
    write_targets(tmp_path, "demo", {"a": 1})
    write_targets(tmp_path, "demo", {"a": 2})
    assert [path.name for path in tmp_path.iterdir()] == ["demo.json"]


def test_the_targets_folder_is_watched(tmp_path: Path) -> None:
    (scrape,) = json.loads(prometheus_config(tmp_path))["scrape_configs"]
    assert scrape["file_sd_configs"][0]["files"] == [f"{tmp_path}/*.json"]
