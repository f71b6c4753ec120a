"""Prometheus as a process: the installed one, or Debian's package unpacked into the cache."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from services.local_stack.cache import Report, cache_folder, cached
from services.local_stack.debian import fetch_packages
from services.local_stack.ports import LOOPBACK
from services.local_stack.processes import ChildPlan
from services.local_stack.readiness import http_answers

#: The folder's name in the cache; Debian decides the version.
UNPACKED = "prometheus-debian"
#: Recording rules and alerts, the same everywhere.
RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules"
SCRAPE_INTERVAL_SECONDS = 2


def find_prometheus() -> Path | None:
    """The ``prometheus`` on the PATH, else the one fetched before, else None."""
    found = shutil.which("prometheus")
    if found is not None:
        return Path(found)
    unpacked = cache_folder() / UNPACKED / "usr/bin/prometheus"
    return unpacked if unpacked.exists() else None


def find_promtool() -> Path | None:
    """The ``promtool`` that came with `find_prometheus`, else None."""
    prometheus = find_prometheus()
    beside = prometheus.resolve().with_name("promtool") if prometheus else None
    if beside is not None and beside.exists():
        return beside
    found = shutil.which("promtool")
    return Path(found) if found else None


def fetch_prometheus(report: Report) -> Path:
    """`find_prometheus`, or fetch Debian's package; raises `ComponentMissing`.

    The package is unpacked and not installed, so it starts no system service and needs none of
    its dependencies (web fonts and scripts). Reading the package lists again needs root.
    """
    found = find_prometheus()
    if found is not None:
        return found

    def fetch(folder: Path) -> None:
        remedy = "install Prometheus and put it on the PATH"
        download = ["apt-get", "download", "prometheus"]
        fetch_packages("Prometheus", download, folder, report, remedy)

    return cached(UNPACKED, fetch) / "usr/bin/prometheus"


def prometheus_config(targets: Path) -> str:
    """Configuration that scrapes what the files in ``targets`` name.

    Services come and go with their ports, so they are found through files, one a pipeline, which
    Prometheus watches.
    """
    config = {
        "global": {
            "scrape_interval": f"{SCRAPE_INTERVAL_SECONDS}s",
            "evaluation_interval": f"{SCRAPE_INTERVAL_SECONDS}s",
            "scrape_timeout": f"{SCRAPE_INTERVAL_SECONDS}s",
        },
        "rule_files": [f"{RULES}/*.yml"],
        "scrape_configs": [
            {
                "job_name": "wattoken",
                "file_sd_configs": [{"files": [f"{targets}/*.json"], "refresh_interval": "2s"}],
            }
        ],
    }
    return json.dumps(config, indent=2)  # JSON is YAML


def write_targets(targets: Path, pipeline: str, services: Mapping[str, int]) -> Path:
    """Tell Prometheus to scrape a pipeline's services (job → port on loopback)."""
    groups = [
        {"targets": [f"{LOOPBACK}:{port}"], "labels": {"job": job, "pipeline": pipeline}}
        for job, port in services.items()
    ]
    path = targets / f"{pipeline}.json"
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(groups))
    fresh.rename(path)
    return path


def prometheus_plan(binary: Path, data: Path, port: int, log_path: Path) -> ChildPlan:
    """A Prometheus on loopback with its data, configuration and targets in ``data``."""
    targets = data / "targets"
    targets.mkdir(parents=True, exist_ok=True)
    config = data / "prometheus.yml"
    config.write_text(prometheus_config(targets))
    return ChildPlan(
        name="prometheus",
        command=[
            str(binary),
            f"--config.file={config}",
            f"--storage.tsdb.path={data / 'tsdb'}",
            f"--web.listen-address={LOOPBACK}:{port}",
            # What leads from a histogram to a trace (docs/traces.md) is dropped without.
            "--enable-feature=exemplar-storage",
            "--log.level=warn",
        ],
        log_path=log_path,
        ready=http_answers(f"http://{LOOPBACK}:{port}/-/ready"),
        ready_timeout_seconds=30,
        directory=data,
    )
