"""The client's LiteLLM callback counts nothing itself: ingest reads what it hands on."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel
from wattoken.client.events import encode

from schemas.price_class import UNITS
from services.ingest.adapters import litellm, native
from services.ingest.keys.entry import KeyEntry

KEY = KeyEntry(id="abcd", hmac_sha256="0" * 64, tenant="acme", region="eu")
COUNTS = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "reasoning_output_tokens",
)


class Details(BaseModel):
    reasoning_tokens: int | None = None
    text: str | None = None


@pytest.fixture
def callback(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module, on a stand-in for the one class of LiteLLM's that it needs."""
    for name in ("litellm", "litellm.integrations", "litellm.integrations.custom_logger"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    logger = sys.modules["litellm.integrations.custom_logger"]
    logger.CustomLogger = type("CustomLogger", (), {})  # type: ignore[attr-defined]
    yield importlib.import_module("wattoken.client.litellm")
    sys.modules.pop("wattoken.client.litellm", None)


def payload(usage: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-c536f40f-e009-4f4d",
        "litellm_call_id": "64ead31e-88ab-40c2-a7e8-35d59f9c7afb",
        "status": "success",
        "custom_llm_provider": "anthropic",
        "model": "claude-opus-5.5",
        "startTime": 1773575998.5,
        "endTime": 1773576000.0,
        "prompt_tokens": usage["prompt_tokens"],
        "completion_tokens": usage["completion_tokens"],
        "total_tokens": usage.get("total_tokens", 0),
        "metadata": {"usage_object": usage},
        **fields,
    }


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}, (10, 5)),
        (
            {
                "prompt_tokens": 1150,
                "completion_tokens": 20,
                "prompt_tokens_details": {"cached_tokens": 1000, "cache_write_tokens": 100},
                "cache_read_input_tokens": 1000,
                "cache_creation_input_tokens": 100,
                "cost": None,
                "service_tier": "standard",
            },
            (1150, 20, 1000, 100),
        ),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 20,
                "total_tokens": 530,
                "completion_tokens_details": {"reasoning_tokens": 500},
            },
            (10, 520, None, None, 500),
        ),
    ],
)
def test_it_counts_as_litellms_own_callback(
    callback: ModuleType, usage: dict[str, Any], counts: tuple[int | None, ...]
) -> None:
    given = payload(usage)
    own = litellm.adapt(msgspec.Raw(json.dumps(given).encode()), KEY)
    fields = callback.fields_of({"standard_logging_object": given})
    ours = native.adapt(encode(fields, {}), KEY)
    expected = dict(zip(COUNTS, counts, strict=False))
    assert own is not None
    for name in COUNTS:
        assert getattr(ours, name) == getattr(own, name) == expected.get(name), name
    assert (ours.provider, ours.model, ours.status) == (own.provider, own.model, own.status)
    assert ours.time == own.time == datetime(2026, 3, 15, 12, tzinfo=UTC)


ANTHROPIC_FAST = {"service_tier": "standard", "speed": "fast"}
PLAIN = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
SEARCHES = [
    {"type": "web_search_call", "status": "completed", "action": {"type": "search"}},
    {"type": "web_search_call", "status": "completed", "action": {"type": "open_page"}},
    {"type": "file_search_call", "status": "completed"},
    {"type": "message", "content": [{"type": "output_text", "text": "secret"}]},
]


@pytest.mark.parametrize(
    ("given", "tier", "units"),
    [
        (payload(PLAIN), None, {}),
        (payload(PLAIN, response={"service_tier": "flex"}), "flex", {}),
        (payload(PLAIN, model_parameters={"service_tier": "priority"}), "priority", {}),
        (
            payload(
                PLAIN,
                response={"service_tier": "default"},
                model_parameters={"service_tier": "priority"},
            ),
            "standard",
            {},
        ),
        (
            payload(
                PLAIN | {"service_tier": "batch"}, model_parameters={"service_tier": "priority"}
            ),
            "batch",
            {},
        ),
        (payload(PLAIN | ANTHROPIC_FAST), "fast", {}),
        (payload(PLAIN | {"speed": "fast"}, model_parameters={"service_tier": "flex"}), "fast", {}),
        (
            payload(PLAIN | {"speed": "standard"}, model_parameters={"service_tier": "flex"}),
            "flex",
            {},
        ),
        (payload(PLAIN, model_parameters={"service_tier": "auto"}), None, {}),
        (payload(PLAIN, response="redacted-by-litellm"), None, {}),
        (
            payload(PLAIN, response={"output": SEARCHES}),
            None,
            {"web_searches": 1, "file_searches": 1},
        ),
        (
            payload(
                PLAIN,
                response={"output": SEARCHES, "tool_usage": {"web_search": {"num_requests": 3}}},
            ),
            None,
            {"web_searches": 3, "file_searches": 1},
        ),
        (
            payload(PLAIN | {"server_tool_use": {"web_search_requests": 2}}),
            None,
            {"web_searches": 2},
        ),
        (
            payload(
                {"prompt_tokens": 0, "completion_tokens": 0},
                status="failure",
                metadata=None,
                prompt_tokens=None,
                completion_tokens=None,
                total_tokens=None,
                model_parameters={"service_tier": "default"},
            ),
            "standard",
            {},
        ),
    ],
)
def test_it_tells_of_the_price_what_litellms_own_callback_tells(
    callback: ModuleType, given: dict[str, Any], tier: str | None, units: dict[str, int]
) -> None:
    own = litellm.adapt(msgspec.Raw(json.dumps(given).encode()), KEY)
    line = encode(callback.fields_of({"standard_logging_object": given}), {})
    ours = native.adapt(line, KEY)
    assert own is not None
    assert ours.service_tier == own.service_tier == tier
    for name in UNITS:
        assert getattr(ours, name) == getattr(own, name) == units.get(name), name
    assert b"secret" not in line


def test_only_numbers_and_the_tier_go(callback: ModuleType) -> None:
    usage = {
        "prompt_tokens": 1,
        "completion_tokens": 9,
        "completion_tokens_details": Details(reasoning_tokens=4, text="secret"),
        "prompt_tokens_details": {"audio_tokens": None},
        "note": "secret",
        "flag": True,
        "service_tier": "standard",
        "speed": Details(text="secret"),
    }
    fields = callback.fields_of({"standard_logging_object": payload(usage)})
    assert fields["usage"] == {
        "prompt_tokens": 1,
        "completion_tokens": 9,
        "total_tokens": 0,
        "completion_tokens_details": {"reasoning_tokens": 4},
        "service_tier": "standard",
    }
