"""The cases that are shared beside the clone, each metered to the token; skipped without them.

They are carried over into golden files, which need nothing beside: this looks whether all still
are what they were.
"""

from __future__ import annotations

import json
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.ingest.adapters.golden_cases import Case, run

CASES = Path(__file__).parents[5] / "shared" / "cases" / "gateways.json"
COUNTS = (
    *("input_tokens", "output_tokens", "cache_read_input_tokens"),
    *("cache_write_input_tokens", "reasoning_output_tokens"),
)
#: Cases whose numbers cannot be those of the body: what the body says is held instead.
SAYS = {"20-litellm_generic": {"input_tokens": 10, "output_tokens": 5}}
#: Cases that may be refused, if the answer says which format fits.
ADVISED = {"06-perplexity": "set usage_format to perplexity"}


def shared_cases() -> list[Any]:
    if not CASES.exists():
        skip = pytest.mark.skip(reason="there is no ../shared/cases/gateways.json")
        return [pytest.param({}, marks=skip, id="shared-cases")]
    return [pytest.param(case, id=case["name"]) for case in json.loads(CASES.read_text())]


@pytest.mark.parametrize("case", shared_cases())
def test_a_shared_case_is_metered_to_the_token(case: dict[str, Any]) -> None:
    document = {
        "request": {"path": case["path"], "content_type": "application/json", "text": text(case)},
        "key": {"provider": "vllm"} if case["expect"].get("provider") == "vllm" else {},
    }
    outcome = run(Case(case["name"], document, "json"))
    if case["name"] in ADVISED and not outcome.records:
        assert ADVISED[case["name"]] in outcome.answer.text
        return
    # A resend adds nothing, so neither does what shares its identity within the request.
    records = {record["key"]: json.loads(record["value"]) for record in outcome.records}
    found: dict[str, Any] = {
        "requests": len(records),
        "failed_requests": sum(event.get("status") == "error" for event in records.values()),
        **{name: sum(event.get(name) or 0 for event in records.values()) for name in COUNTS},
    }
    for name in ("provider", "model"):
        found[name] = next((event[name] for event in records.values()), None)
    expected = {name: value for name, value in case["expect"].items() if name in found} | SAYS.get(
        case["name"], {}
    )
    assert {name: found[name] for name in expected} == expected, outcome.answer.text
    assert len(outcome.records) == len(records)


def text(case: dict[str, Any]) -> str:
    """Fill the body in with fresh ids and the time now."""
    body = case.get("raw") or json.dumps(case["body"])
    body = body.replace('"$EPOCH"', "$EPOCH").replace("$EPOCH", str(time.time()))
    fresh = {
        "$ID": uuid.uuid4().hex,
        "$NOW": datetime.now(UTC).isoformat(),
        "$NS": str(time.time_ns()),
        "$TRACE": uuid.uuid4().hex,
        "$SPAN": uuid.uuid4().hex[:16],
    }
    for mark, value in fresh.items():
        body = body.replace(mark, value)
    return str(body)
