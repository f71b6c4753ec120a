"""What a real Prometheus says of its alerts is read as it is meant."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.exporter.control_room.alerts import Alerts, alerts_reader
from services.local_stack.errors import ComponentMissing
from services.local_stack.ports import LOOPBACK, give_back, pick_port
from services.local_stack.prometheus import fetch_prometheus, prometheus_plan
from services.local_stack.supervisor import Supervisor
from tests.integration.conftest import missing

RUNBOOK = "https://book.example/runbook.md"
RULES = {
    "groups": [
        {
            "name": "made-up",
            "interval": "1s",
            "rules": [
                {
                    "alert": "WattokenMadeUp",
                    "expr": 'label_replace(vector(7), "region", "eu", "", "")',
                    "labels": {"severity": "critical", "tenant": "acme"},
                    "annotations": {
                        "summary": "{{ $labels.region }} has {{ $value }}.",
                        "runbook": "docs/runbook.md#lag-is-growing",
                    },
                },
                {"alert": "WattokenToCome", "expr": "vector(1)", "for": "1h"},
                {"alert": "SomebodyElses", "expr": "vector(1)"},
            ],
        }
    ]
}


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Prometheus with rules of which one fires, one will and one is not ours."""
    try:
        binary = fetch_prometheus(print)
    except ComponentMissing as error:
        missing(error)
    folder: Path = tmp_path_factory.mktemp("prometheus")
    port = pick_port(None)
    plan = prometheus_plan(binary, folder, port, folder / "prometheus.log")
    config = json.loads((folder / "prometheus.yml").read_text(encoding="utf-8"))
    (folder / "rules.json").write_text(json.dumps(RULES), encoding="utf-8")
    config["rule_files"] = [str(folder / "rules.json")]
    (folder / "prometheus.yml").write_text(json.dumps(config), encoding="utf-8")
    with Supervisor() as supervisor:
        try:
            supervisor.launch(plan).wait_ready()
            yield f"http://{LOOPBACK}:{port}"
        finally:
            supervisor.kill()
            give_back(port)


def test_what_fires_and_what_will(prometheus: str) -> None:
    read = alerts_reader(f"{prometheus}/", RUNBOOK, 5.0)
    deadline = time.monotonic() + 60
    while (found := read()) and (not found.firing or not found.pending_count):
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    assert isinstance(found, Alerts)
    (alert,) = found.firing
    assert (alert.name, alert.severity, alert.summary) == (
        *("WattokenMadeUp", "critical", "eu has 7."),
    )
    assert alert.labels == {"region": "eu"}
    assert alert.runbook == f"{RUNBOOK}#lag-is-growing"
    assert alert.since is not None
    assert abs(alert.since - time.time()) < 3_600
    assert (found.firing_count, found.pending_count) == (1, 1)
