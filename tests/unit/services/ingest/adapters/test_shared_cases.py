"""Cases of public reports that lie beside the repository, where they do: metered to the token."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.unit.services.ingest.adapters.golden_cases import Case, run

FILE = Path(__file__).parents[6] / "shared" / "cases" / "gateways.json"
#: Kinds of counts, formats, streams and names; the others are of identity, time and spans.
KINDS = ("01", "02", "03", "04", "05", "06", "07", "10", "11", "21", "25")
#: The key that a case asks for in words.
KEY_PROVIDERS = {"11-vllm_hf": "vllm"}


def cases() -> list[dict[str, Any]]:
    if not FILE.exists():
        return []
    found = json.loads(FILE.read_text(encoding="utf-8"))
    return [one for one in found if one["name"].partition("-")[0] in KINDS]


@pytest.mark.skipif(not FILE.exists(), reason="there are no cases beside this repository")
@pytest.mark.parametrize("case", cases(), ids=lambda case: case["name"])
def test_shared_case(case: dict[str, Any]) -> None:
    text = json.dumps(case["body"])
    for name, value in {
        "$ID": uuid4().hex,
        "$NOW": "2026-03-15T12:00:00Z",
        "$NS": "1773576000000000000",
        "$TRACE": uuid4().hex,
        "$SPAN": uuid4().hex[:16],
    }.items():
        text = text.replace(name, value)
    document: dict[str, Any] = {
        "request": {
            "path": case["path"],
            "headers": case.get("headers", {}),
            "content_type": "application/json",
            "text": text,
        }
    }
    if case["name"] in KEY_PROVIDERS:
        document["key"] = {"provider": KEY_PROVIDERS[case["name"]]}
    outcome = run(Case(case["name"], document, "json"))
    if case["name"] == "06-perplexity":
        assert "set usage_format to perplexity" in outcome.answer.text
        return
    metered: Counter[str] = Counter()
    for record in outcome.records:
        event = json.loads(record["value"])
        metered["requests"] += 1
        metered.update({name: value for name, value in event.items() if isinstance(value, int)})
        for name in ("provider", "model"):
            assert event[name] == case["expect"].get(name, event[name])
    numbers = {name: value for name, value in case["expect"].items() if isinstance(value, int)}
    assert {name: metered[name] for name in numbers} == numbers
