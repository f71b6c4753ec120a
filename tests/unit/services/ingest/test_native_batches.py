"""The quick way gives byte for byte what the slow way gives, or nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.event_rules import CLOSER_SUBSETS
from services.ingest.adapters.native import adapt
from services.ingest.keys.entry import KeyEntry
from services.ingest.keys.key import Key
from services.ingest.keys.limits import NO_LIMITS, Allowance, KeyUse
from services.ingest.native_batches import (
    _may_tell_kinds,
    record_of_object,
    records_of_array,
    records_of_lines,
)
from services.ingest.records import to_record

ENTRY = KeyEntry(id="abcd", hmac_sha256="0" * 64, tenant="acme", region="eu", provider="openai")
GOOD: list[dict[str, Any]] = [
    {"id": "a"},
    {"id": "é", "source": "other", "tenant": "acme", "region": "us", "provider": "azure"},
    {"id": "f", "provider": "OpenAI.chat", "model": "gpt-5.6-luna-2026-07-30"},
    {"id": "g", "provider": "vllm", "model": "Qwen/Qwen3-32B"},
    {"id": "c", "time": "2026-03-15T13:00:00.123456+01:00"},
    {"id": "d", "cache_read_input_tokens": 0, "reasoning_output_tokens": 2, "status": "error"},
    {"id": "h", "service_tier": "batch", "pages": 0, "audio_output_tokens": 2, "web_searches": 3},
    {"id": "i", "status": "error", "input_tokens": 0, "output_tokens": 0, "images": 1},
    {"id": "e", "entry": "debit", "adjusts": "a", "reason": "r", "quality": "measured"},
    {"id": "h", "service_tier": "batch", "web_searches": 2, "audio_output_tokens": 2},
    {"id": "i", "cache_write_input_tokens": 1, "cache_write_1h_input_tokens": 1},
    {"id": "j", "status": "error", "input_tokens": 0, "output_tokens": 0, "pages": 1},
]


def event(**fields: Any) -> bytes:
    base = {"id": "a", "source": "gw", "time": "2026-03-15T12:00:00Z", "model": "m"}
    return json.dumps({**base, "input_tokens": 1, "output_tokens": 2, **fields}).encode()


def key(entry: KeyEntry = ENTRY, allowance: Allowance = NO_LIMITS) -> Key:
    return Key(entry, KeyUse(allowance, 0.0))


def both(texts: list[bytes], of: Key) -> list[Any]:
    return [
        records_of_array(b"[" + b",".join(texts) + b"]", of),
        records_of_lines(b"\n".join(texts), of),
        records_of_lines(b"\r\n".join(texts) + b"\n", of),
    ]


def test_it_gives_what_the_slow_way_gives() -> None:
    texts = [event(**fields) for fields in GOOD]
    expected = [to_record(adapt(text, ENTRY)) for text in texts]
    assert both(texts, key()) == [expected] * 3
    assert [record_of_object(text, key()) for text in texts] == [[record] for record in expected]


def test_events_of_several_tenants_have_keys_of_their_own() -> None:
    entry = ENTRY.model_copy(update={"tenants": ("globex",)})
    texts = [event(), event(tenant="globex")]
    expected = [to_record(adapt(text, entry)) for text in texts]
    assert both(texts, key(entry)) == [expected] * 3


@pytest.mark.parametrize(
    "bad",
    [
        *[b"{}", b"1", b"", b"[" * 5000, b'{"id":"\xff"}', event(extra=1), event(id="")],
        *[event(service_tier="default"), event(web_searches=-1), event(pages="1")],
        *[event(cache_write_1h_input_tokens=1), event(audio_input_tokens=2)],
        *[event(image_input_tokens=1, cache_read_input_tokens=1), event(audio_output_tokens=3)],
        event(image_input_tokens=2).replace(b"image_", b"\\u0069mage_"),
        *[event(tenant="globex"), event(time="1999-12-31T23:59:59Z"), event(input_tokens=-1)],
        *[event(cache_read_input_tokens=2), event(entry="debit"), event(time="2026-03-15T12:00")],
        event(time="0001-01-01T00:00:00+01:00"),
        *[event(audio_output_tokens=3), event(cache_write_5m_input_tokens=1)],
        *[event(audio_input_tokens=1, image_input_tokens=1), event(service_tier="economy")],
        event(cache_read_input_tokens=1, audio_input_tokens=1),
    ],
)
def test_one_fault_and_there_is_nothing(bad: bytes) -> None:
    assert both([event(), bad, event()], key()) == [None] * 3
    assert record_of_object(bad, key()) is None


def test_without_the_keys_provider_it_must_be_given() -> None:
    entry = ENTRY.model_copy(update={"provider": None})
    assert both([event()], key(entry)) == [None] * 3
    assert None not in both([event(provider="openai")], key(entry))


def test_what_a_key_may_not_name_is_left_to_the_slow_way() -> None:
    fixed = ENTRY.model_copy(update={"regions": ()})
    assert None not in both([event(), event(region="eu")], key(fixed))
    assert both([event(region="us")], key(fixed)) == [None] * 3
    few = key(allowance=Allowance(None, None, 1, 1, 1))
    assert None not in both([event()], few)
    assert both([event(model="n")], few) == [None] * 3


def test_keys_of_another_region_do_not_share_a_decoder() -> None:
    other = ENTRY.model_copy(update={"region": "us"})
    eu, us = (records_of_array(b"[" + event() + b"]", key(entry)) for entry in (ENTRY, other))
    assert eu is not None
    assert us is not None
    assert b'"region":"eu"' in eu[0]["value"]
    assert b'"region":"us"' in us[0]["value"]


@pytest.mark.parametrize("body", [b"", b"\n\n", event() + b" " + event(), event() + b"\n\n"])
def test_lines_that_are_not_one_event_each_are_left_to_the_slow_way(body: bytes) -> None:
    assert not records_of_lines(body, key())


def test_each_part_that_few_have_is_looked_at() -> None:
    """The quick way looks for these in a whole body, before it looks at any event."""
    for name in {name for subset in CLOSER_SUBSETS for name in (*subset.parts, subset.total)}:
        if name not in ("input_tokens", "cache_read_input_tokens", "cache_write_input_tokens"):
            assert _may_tell_kinds(event(**{name: 1})), name
    assert _may_tell_kinds(event(audio_output_tokens=1))
    assert not _may_tell_kinds(event(reasoning_output_tokens=1, cache_read_input_tokens=1))
