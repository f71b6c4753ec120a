"""What each source sends, case by case, and that no known shape or mistake lacks its case."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from services.ingest.errors import EVENT_CODES
from tests.unit.services.ingest.adapters.golden_cases import (
    OTLP,
    Case,
    read_answer,
    read_cases,
    run,
)

ROOT = Path(__file__).parents[5]
CASES = read_cases()

#: What gateways send; each has golden cases.
SHAPES = {
    "OpenAI chat",
    "OpenAI responses",
    "Anthropic",
    "Gemini",
    "OpenTelemetry GenAI",
    "LiteLLM StandardLoggingPayload",
    "LiteLLM openmeter callback",
    "Envoy AI Gateway usage event",
    "Portkey log hook",
    "OpenMeter sample",
    "OpenAI Realtime",
    "Perplexity",
    "Bedrock Converse",
    "Cohere",
    "Ollama",
    "DashScope",
    "Mistral",
    "Gemini Live",
    "embeddings",
    "LiteLLM usage object",
}
#: Mistakes that users of other meters report, as far as adapters can make them.
ADAPTER_MISTAKES = {
    "cache tokens priced twice",
    "cached input counted twice",
    "cumulative stream usage summed",
    "usage lost when the client disconnects mid-stream",
    "an explicit zero replaced by an estimate",
}
#: Those of the pipeline behind them, and the test that each would fail.
PIPELINE_MISTAKES = {
    "cache tokens priced twice on the bill": (
        "tests/integration/test_billing.py",
        "test_charges_and_statements_are_the_oracles",
    ),
    "the same id with a new timestamp counted twice": (
        "tests/unit/services/ingest/adapters/test_golden.py",
        "test_a_new_time_makes_no_new_identity",
    ),
    "an event counted again when it is resent": (
        "tests/unit/services/aggregator/core/test_dedup.py",
        "test_a_resend_within_the_horizon_is_a_duplicate",
    ),
    "accepted events that retention deletes before they are read": (
        "tests/integration/test_ingest.py",
        "test_what_is_accepted_lies_on_the_log",
    ),
    "acknowledged usage lost between a dedup store and the database": (
        "tests/property/test_exactly_once.py",
        "test_every_schedule_ends_exact",
    ),
    "one insert per message until ClickHouse has too many parts": (
        "tests/unit/services/aggregator/core/test_slices.py",
        "test_adds_up_and_hands_over_what_changed_once",
    ),
    "counters that reset so dashboards show wrong spend": (
        "tests/unit/services/exporter/test_high_water.py",
        "test_no_value_ever_falls_and_none_is_invented",
    ),
    "label explosion by user or key": (
        "tests/integration/test_exporter.py",
        "test_label_sets_beyond_the_limit_are_summed_and_never_fall",
    ),
    "only the first hundred rows of a flush written": (
        "tests/integration/test_demo.py",
        "test_audit_of_a_fleet_with_every_fault_is_exact",
    ),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}-{case.encoding}")
def test_golden(case: Case) -> None:
    outcome = run(case)
    document = case.document
    assert outcome.answer.status_code == document["status"], outcome.answer.text
    assert [json.loads(record["value"]) for record in outcome.records] == [
        _on_the_log(event) for event in document["usage_events"]
    ]
    assert outcome.skipped == document.get("skipped", 0)
    if case.path in OTLP:
        assert read_answer(case, outcome.answer) == document.get("answer", {})
    else:
        _check_rejections(case, outcome.answer.text)


def _on_the_log(event: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the log leaves out: the defaults."""
    defaults = {"status": "ok", "quality": "measured"}
    return {name: value for name, value in event.items() if defaults.get(name) != value}


def _check_rejections(case: Case, text: str) -> None:
    expected = case.document.get("rejected", [])
    if not expected:
        return
    answer = json.loads(text)
    found = (
        answer["extensions"]["validationErrors"]
        if case.path.startswith("/api/")
        else answer["rejected"]
    )
    assert [item["index"] for item in found] == [item["index"] for item in expected]
    for item, wanted in zip(found, expected, strict=True):
        assert item["code"] == wanted["code"] and item["code"] in EVENT_CODES
        assert wanted["message"] in item["message"]


def test_a_new_time_makes_no_new_identity() -> None:
    """The log's key is all that a duplicate is known by; it must not hang on time or counts."""
    for case in CASES:
        if case.name not in ("litellm_openmeter/callback", "otel/new_attributes"):
            continue
        document = json.loads(
            json.dumps(case.document)
            .replace("2026-03-15T12:00:00", "2026-03-15T12:34:56")
            .replace("1773576000000000000", "1773579000000000000")
        )
        again = run(Case(case.name, document, case.encoding)).records
        first = run(case).records
        assert [record["key"] for record in again] == [record["key"] for record in first]
        assert [record["value"] for record in again] != [record["value"] for record in first]


def test_a_span_and_a_log_record_of_one_call_share_their_identity() -> None:
    by_name = {case.name: case for case in CASES if case.encoding == "protobuf"}
    (span,) = run(by_name["otel/old_attributes"]).records
    (record,) = run(by_name["otel/log_record_and_span_share_their_identity"]).records
    assert span["key"] == record["key"]


def test_both_callbacks_of_litellm_share_their_identity() -> None:
    by_name = {case.name: case for case in CASES}
    (event,) = run(by_name["litellm_openmeter/callback"]).records
    (payload,) = run(by_name["litellm/total_of_zero_is_none"]).records
    assert event["key"] == payload["key"]


def test_every_shape_and_mistake_has_its_case() -> None:
    covered = {name for case in CASES for name in case.document["covers"]}
    assert covered == SHAPES | ADAPTER_MISTAKES


def test_the_tests_that_guard_the_pipeline_exist() -> None:
    for mistake, (file, name) in PIPELINE_MISTAKES.items():
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert name in names, f"{mistake}: {file} has no {name}"
