"""A worker's start: whoever is away is told of, and nothing that Kafka answers ends the process."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from services.aggregator import worker
from services.aggregator.settings import AggregatorSettings
from services.platform.kafka_questions import KafkaQuestions

ROOT = Path(__file__).parents[4]
#: Commands, which a person starts again.
COMMANDS = {"services/aggregator/restore.py"}
#: What makes an admin client in the process that calls it.
IN_PROCESS = {"AdminClient", "ExplainingAdmin", "admin_client", "require_kafka"}


@pytest.mark.parametrize("end", ["abort()", "kill(os.getpid(), 11)", "_exit(0)"])
def test_a_client_that_kafka_makes_abort_takes_no_worker_with_it(
    end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As librdkafka's does now and then where a broker stops; two workers ended at once by it."""
    popen = subprocess.Popen

    def child(command: list[str], **pipes: Any) -> Any:
        return popen([sys.executable, "-c", f"import os; os.{end}"], **pipes)

    monkeypatch.setattr(subprocess, "Popen", child)
    monkeypatch.setattr(worker, "look_at_tables", lambda settings: None)
    settings = AggregatorSettings()
    told: list[str] = []
    worker.tell_what_is_away(settings, KafkaQuestions(settings), told.append)
    assert len(told) == 1
    assert "Kafka" in told[0]


@pytest.mark.parametrize("service", ["aggregator", "canary", "exporter", "ingest"])
def test_no_service_asks_with_an_admin_client_of_its_own(service: str) -> None:
    found = {
        f"{path.relative_to(ROOT)}: {alias.name}"
        for path in sorted((ROOT / "services" / service).rglob("*.py"))
        if str(path.relative_to(ROOT)) not in COMMANDS
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name in IN_PROCESS
    }
    assert found == set()
