"""CloudEvents as OpenMeter's clients send them; the shapes are those of its SDK and of LiteLLM."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.wire import WireEvent
from services.ingest.adapters.openmeter import adapt
from services.ingest.adapters.usage_fields import unread
from services.ingest.errors import EVENT_CODES, EventRejectedError
from services.ingest.keys.entry import KeyEntry

RECEIVED = datetime(2026, 3, 15, 12, 0, 0, 250_000, tzinfo=UTC)
KEY = KeyEntry(id="abcd", hmac_sha256="0" * 64, tenant="acme", region="eu", provider="azure")
NO_PROVIDER = KEY.model_copy(update={"provider": None})
LITELLM: dict[str, Any] = {
    "specversion": "1.0",
    "type": "litellm_tokens",
    "id": "chatcmpl-1",
    "time": "2026-03-15T11:59:59.123456+00:00",
    "subject": "user-1",
    "source": "litellm-proxy",
    "data": {
        "model": "gpt-4o",
        "cost": 0.00031,
        "prompt_tokens": 10,
        "completion_tokens": 20,
        "total_tokens": 30,
    },
}


def event(data: object = ..., **envelope: Any) -> bytes:
    changed = LITELLM | envelope | ({} if data is ... else {"data": data})
    return json.dumps({name: value for name, value in changed.items() if value is not ...}).encode()


def adapted(data: object = ..., key: KeyEntry = KEY, **envelope: Any) -> WireEvent:
    return adapt(event(data, **envelope), key, RECEIVED)


def rejection(record: bytes) -> EventRejectedError:
    with pytest.raises(EventRejectedError) as caught:
        adapt(record, KEY, RECEIVED)
    assert caught.value.code in EVENT_CODES
    return caught.value


def data(**changes: Any) -> dict[str, Any]:
    changed = LITELLM["data"] | changes
    return {name: value for name, value in changed.items() if value is not ...}


def test_litellm() -> None:
    found = adapted()
    assert (found.id, found.source) == ("chatcmpl-1", "litellm-proxy")
    assert (found.tenant, found.region, found.provider) == ("acme", "eu", "azure.ai.openai")
    assert (found.model, found.input_tokens, found.output_tokens) == ("gpt-4o", 10, 20)
    assert found.time == datetime(2026, 3, 15, 11, 59, 59, 123_456, tzinfo=UTC)
    assert found.cache_read_input_tokens is None


@pytest.mark.parametrize("total", [..., None, "30"])
def test_the_total_may_be_absent_or_digits(total: object) -> None:
    assert adapted(data(total_tokens=total)).output_tokens == 20


def test_a_total_that_is_no_sum_is_refused() -> None:
    error = rejection(event(data(total_tokens=31)))
    assert error.code == "total_mismatch"
    assert "total_tokens is 31, but" in error.message


@pytest.mark.parametrize(("kind", "tokens"), [("input", (123_456, 0)), ("output", (0, 123_456))])
@pytest.mark.parametrize("count", ["123456", 123_456])
def test_openmeter_sample(kind: str, tokens: tuple[int, int], count: object) -> None:
    found = adapted({"tokens": count, "model": "gpt-4-turbo", "type": kind})
    assert (found.input_tokens, found.output_tokens) == tokens


def test_our_own_names() -> None:
    found = adapted(
        {
            "model": "m",
            "input_tokens": 100,
            "output_tokens": "50",
            "cache_read_input_tokens": 60,
            "reasoning_output_tokens": 0,
            "status": "error",
            "duration_ms": 12,
            "region": "us",
            "quality": "estimated",
            "tenant": "acme",
            "anything": {"else": 1},
        }
    )
    assert (found.input_tokens, found.output_tokens) == (100, 50)
    assert (found.cache_read_input_tokens, found.reasoning_output_tokens) == (60, 0)
    assert found.cache_write_input_tokens is None
    assert (found.status, found.duration_ms, found.region) == ("error", 12, "us")
    assert found.quality == "estimated"


@pytest.mark.parametrize(
    ("key", "model", "provider", "expected"),
    [
        (KEY, "gpt-4o", ..., ("azure.ai.openai", "gpt-4o")),
        (NO_PROVIDER, "gpt-4o", ..., ("openai", "gpt-4o")),
        (NO_PROVIDER, "of-my-own", ..., ("unknown", "of-my-own")),
        (KEY, "openai/gpt-4o", ..., ("azure.ai.openai", "openai/gpt-4o")),
        (KEY, "azure/gpt-4o", ..., ("azure.ai.openai", "gpt-4o")),
        (NO_PROVIDER, "openai/gpt-4o", ..., ("openai", "gpt-4o")),
        (NO_PROVIDER, "openrouter/anthropic/opus", ..., ("openrouter", "anthropic/opus")),
        (NO_PROVIDER, "Qwen/Qwen3-32B", ..., ("unknown", "Qwen/Qwen3-32B")),
        (KEY, "gpt-4o", "openai", ("openai", "gpt-4o")),
        (KEY, "openai/gpt-4o", "openai", ("openai", "gpt-4o")),
        (KEY, "meta/llama", "together", ("together_ai", "meta/llama")),
        (KEY, "/gpt-4o", ..., ("azure.ai.openai", "/gpt-4o")),
        (KEY, "openai/", ..., ("azure.ai.openai", "openai/")),
    ],
)
def test_provider_and_model(
    key: KeyEntry, model: str, provider: object, expected: tuple[str, str]
) -> None:
    found = adapted(data(model=model, provider=provider), key)
    assert (found.provider, found.model) == expected


@pytest.mark.parametrize("time", [..., None])
def test_without_a_time_it_is_that_of_receipt(time: object) -> None:
    assert adapted(time=time).time == RECEIVED


def test_a_sum_proves_that_embeddings_have_no_output() -> None:
    found = adapted(data(prompt_tokens=8, completion_tokens=..., total_tokens=8))
    assert (found.input_tokens, found.output_tokens) == (8, 0)


def test_numbers_that_nobody_knows_are_noted() -> None:
    met = unread.Unread()
    with unread.collecting(met):
        adapted(data(cost=0.1, tomorrows_tokens=3))
    assert met == {("cloudevents", "tomorrows_tokens"): 1}


def test_an_explicit_zero_stays_zero() -> None:
    found = adapted(data(prompt_tokens=0, completion_tokens=0, total_tokens=0))
    assert (found.input_tokens, found.output_tokens) == (0, 0)


@pytest.mark.parametrize(
    ("record", "code", "said"),
    [
        (b"{", "invalid_json", "no JSON"),
        (b'{"a":' * 5000, "invalid_json", "no JSON"),
        (b"[]", "not_an_object", "JSON object"),
        (event(specversion="0.3"), "invalid_value", "specversion is the text '0.3'"),
        (event(specversion=...), "invalid_value", "specversion is null"),
        (event(type=""), "missing_field", "type is missing"),
        (event(id=...), "missing_field", "id is missing"),
        (event(source=None), "missing_field", "source is missing"),
        (event(id=5), "wrong_type", "id is the number 5"),
        (event(id=""), "out_of_range", "id is the text ''"),
        (event(source="x" * 129), "out_of_range", "source is a text of 129 characters"),
        (event(time="2026-03-15T12:00:00"), "invalid_time", "time is the text"),
        (event(time=5), "wrong_type", "time is the number 5"),
        (event(None), "missing_field", "data is missing"),
        (event(None, data_base64="e30="), "missing_field", "not in data_base64"),
        (event("x"), "wrong_type", "data is the text 'x'"),
        (event(data(model=...)), "missing_field", "data.model is missing"),
        (event(data(model=5)), "wrong_type", "model is the number 5"),
        (event(data(model="")), "out_of_range", "model is the text ''"),
        (event(data(provider=[])), "wrong_type", "provider is an array"),
        (event({"model": "m"}), "no_token_counts", "data has no token counts"),
        (event(data(completion_tokens=...)), "missing_field", "data.completion_tokens is missing"),
        (event(data(prompt_tokens=None)), "missing_field", "data.prompt_tokens is missing"),
        (event(data(prompt_tokens=1.5)), "wrong_type", "data.prompt_tokens is the number 1.5"),
        (event(data(prompt_tokens=True)), "wrong_type", "data.prompt_tokens is true"),
        (event(data(prompt_tokens="1e3")), "wrong_type", "data.prompt_tokens is the text '1e3'"),
        (event(data(prompt_tokens="-1")), "wrong_type", "data.prompt_tokens is the text '-1'"),
        (event(data(prompt_tokens="١")), "wrong_type", "data.prompt_tokens is the text"),
        (event(data(prompt_tokens=-1)), "out_of_range", "data.prompt_tokens is the number -1"),
        (event(data(prompt_tokens="9" * 5000)), "out_of_range", "a text of 5000 characters"),
        (event(data(prompt_tokens=10**11 + 1)), "out_of_range", "data.prompt_tokens is"),
        (
            event({"model": "m", "input_tokens": 1}),
            "missing_field",
            "data.output_tokens is missing",
        ),
        (event({"model": "m", "tokens": 1}), "invalid_value", "data.type is null"),
        (event({"model": "m", "tokens": 1, "type": []}), "invalid_value", "data.type is an array"),
        (event(data(tenant="globex")), "tenant_not_allowed", "tenant is not the one"),
        (event(data(cache_read_input_tokens=11)), "subset_exceeds_total", "must not exceed"),
        (event(data(status="bad")), "invalid_value", "status is the text 'bad'"),
    ],
)
def test_a_rejection_names_field_fault_and_remedy(record: bytes, code: str, said: str) -> None:
    error = rejection(record)
    assert error.code == code
    assert said in error.message
