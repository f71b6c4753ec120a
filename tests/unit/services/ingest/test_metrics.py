"""The service's own metrics: names and labels that cannot run away."""

from __future__ import annotations

from services.ingest.errors import EVENT_CODES
from services.ingest.metrics import IngestMetrics


def test_unknown_paths_share_one_label() -> None:
    metrics = IngestMetrics()
    for number in range(100):
        metrics.count_request(f"/scan/{number}", 404)
    name, labels = "wattoken_ingest_requests_total", {"path": "other", "status": "404"}
    assert metrics.registry.get_sample_value(name, labels) == 100
    assert len(list(metrics.requests.collect())[0].samples) == 2  # total and created


def test_every_code_is_there_from_the_start() -> None:
    registry = IngestMetrics().registry
    for code in EVENT_CODES:
        name = "wattoken_ingest_events_rejected_total"
        assert registry.get_sample_value(name, {"code": code}) == 0
