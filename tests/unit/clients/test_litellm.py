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


def test_only_numbers_go(callback: ModuleType) -> None:
    usage = {
        "prompt_tokens": 1,
        "completion_tokens": 9,
        "completion_tokens_details": Details(reasoning_tokens=4, text="secret"),
        "prompt_tokens_details": {"audio_tokens": None},
        "note": "secret",
        "flag": True,
    }
    fields = callback.fields_of({"standard_logging_object": payload(usage)})
    assert fields["usage"] == {
        "prompt_tokens": 1,
        "completion_tokens": 9,
        "total_tokens": 0,
        "completion_tokens_details": {"reasoning_tokens": 4},
    }
