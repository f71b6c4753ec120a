"""Names of failed calls: made-up ones are counted as unknown, and use up nothing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from schemas.wire import WireEvent, decode
from services.ingest.batches import Batch, BatchLimits, native_json
from services.ingest.failed_calls import looks_real
from services.ingest.gateway_batches import litellm_payloads
from services.ingest.keys.entry import KeyEntry
from services.ingest.keys.key import Key
from services.ingest.keys.limits import FAILED_MODELS_MAX, Allowance, KeyUse

ENTRY = KeyEntry(id="abcd", hmac_sha256="0" * 64, tenant="acme", region="eu")
LIMITS = BatchLimits(events_max=1000, event_bytes_max=10_000)


def key(models_max: int = 3) -> Key:
    return Key(ENTRY, KeyUse(Allowance(None, None, models_max, 3, 3), 0.0), 1.0)


def event(event_id: str, model: str, *, failed: bool, **fields: Any) -> dict[str, Any]:
    counts = {"input_tokens": 0, "output_tokens": 0} if failed else {"input_tokens": 1}
    return {
        **{"id": event_id, "source": "gw", "time": "2026-03-15T12:00:00Z", "model": model},
        **{"provider": "openai", "output_tokens": 1, "status": "error" if failed else "ok"},
        **counts,
        **fields,
    }


def read(of: Key, *events: dict[str, Any]) -> Batch:
    return native_json(msgspec.json.encode(events), of, LIMITS)


def taken(batch: Batch) -> list[WireEvent]:
    return [decode(record["value"]) for record in batch.records]


def models(batch: Batch) -> list[str]:
    return [one.model for one in taken(batch)]


@pytest.mark.parametrize("slow", [False, True], ids=["the quick way", "one by one"])
def test_made_up_names_use_up_nothing_and_make_no_register(slow: bool) -> None:
    of = key()
    # One event that is broken sends a batch the slow way.
    beside = [{"id": "broken"}] if slow else []
    made_up = [event(f"f{n}", f"made-up-{n}", failed=True) for n in range(50)]
    batch = read(of, *made_up, *beside)
    assert models(batch) == ["unknown"] * 50
    assert len(of.use.models) == len(of.use.providers) == 0
    good = [event(f"g{n}", f"own-model-{n}", failed=False) for n in range(3)]
    assert models(read(of, *good, *beside)) == [f"own-model-{n}" for n in range(3)]


@pytest.mark.parametrize("slow", [False, True], ids=["the quick way", "one by one"])
def test_a_name_that_a_call_proves_stays(slow: bool) -> None:
    of = key()
    beside = [{"id": "broken"}] if slow else []
    failed, good = event("f", "own", failed=True), event("g", "own", failed=False)
    assert models(read(of, failed, *beside)) == ["unknown"]
    assert sorted(models(read(of, failed, good, *beside))) == ["own", "own"]
    assert models(read(of, event("f2", "own", failed=True), *beside)) == ["own"]


def test_a_failed_call_that_used_tokens_is_like_any_other() -> None:
    of = key(models_max=1)
    batch = read(of, event("a", "own", failed=True, input_tokens=5))
    assert (models(batch), len(of.use.models)) == (["own"], 1)


def test_a_provider_that_nobody_knows_is_unknown() -> None:
    (one,) = taken(read(key(), event("a", "gpt-5", failed=True, provider="made-up")))
    assert (one.provider, one.model) == ("unknown", "gpt-5")


def test_failed_calls_of_litellm_use_up_nothing_either() -> None:
    of = key()
    payloads = [
        {
            **{
                "id": None,
                "litellm_call_id": f"call-{n}",
                "status": "failure",
                "model": f"nix-{n}",
            },
            **{"custom_llm_provider": "", "startTime": 1773575999.0, "endTime": 1773576000.0},
            **{"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        }
        for n in range(20)
    ]
    batch = litellm_payloads(msgspec.json.encode(payloads), of, LIMITS)
    assert (models(batch), len(of.use.models)) == (["unknown"] * 20, 0)


def test_real_names_stay_before_any_call_succeeds_up_to_a_number() -> None:
    of = key()
    failed = [event(str(n), f"gpt-{n}-mini", failed=True) for n in range(FAILED_MODELS_MAX + 10)]
    found = models(read(of, *failed))
    assert found == [f"gpt-{n}-mini" for n in range(FAILED_MODELS_MAX)] + ["unknown"] * 10
    assert len(of.use.models) == 0


@pytest.mark.parametrize(
    ("model", "real"),
    [
        *((name, True) for name in ("gpt-5", "gpt-4o-mini", "gpt-4.1-nano-2025-04-14", "o3-mini")),
        *(
            (name, True)
            for name in ("claude-opus-4-6", "claude-3-5-haiku-20241022", "gemini-3-pro")
        ),
        *((name, True) for name in ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "qwen3:8b")),
        *((name, True) for name in ("deepseek-chat", "mistral-small-2506", "glm-4.6", "kimi-k2")),
        *((name, False) for name in ("gpt-made-up", "my-claude", "foo", "", "gpt-5-hello", "none")),
        *(
            (name, False)
            for name in ("gpt-" + "5" * 200, "gpt 5", "gpt-5; drop table", "gpt-99999")
        ),
    ],
)
def test_what_looks_real(model: str, real: bool) -> None:
    assert looks_real(model) == real


def test_what_is_refused_uses_up_no_name_either() -> None:
    of = Key(ENTRY.model_copy(update={"regions": ()}), key().use, 1.0)
    batch = read(of, event("a", "one", failed=False, region="us"), {"id": "b"})
    assert [item["code"] for item in batch.rejections] == ["region_not_allowed", "missing_field"]
    assert len(of.use.models) == len(of.use.providers) == len(of.use.regions) == 0


@pytest.mark.parametrize("slow", [False, True], ids=["the quick way", "one by one"])
def test_a_failed_call_that_searched_used_something(slow: bool) -> None:
    of = key()
    beside = [{"id": "broken"}] if slow else []
    batch = read(of, event("f", "own", failed=True, web_searches=2), *beside)
    assert models(batch) == ["own"]
    assert len(of.use.models) == 1
    nothing = event("g", "made-up-1", failed=True, web_searches=0)
    assert models(read(of, nothing, *beside)) == ["unknown"]
