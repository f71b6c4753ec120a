"""The service's own metrics: names and labels that cannot run away."""

from __future__ import annotations

from collections import Counter

from services.ingest.errors import EVENT_CODES
from services.ingest.metrics import UNREAD_NAMES_MAX, IngestMetrics


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


def test_numbers_that_nobody_knows_are_bounded_by_name() -> None:
    metrics = IngestMetrics()
    for number in range(UNREAD_NAMES_MAX):
        metrics.count_unread(Counter({("cohere", f"n{number}"): 2}))
    metrics.count_unread(Counter({("cohere", "n1"): 3, ("cohere", "new"): 4, ("ollama", "x"): 1}))
    samples = {
        (sample.labels["format"], sample.labels["field"]): sample.value
        for family in metrics.unread.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    }
    assert len(samples) == UNREAD_NAMES_MAX + 2
    assert samples["cohere", "n1"] == 5
    assert samples["cohere", "other"] == 4
    assert samples["ollama", "other"] == 1
