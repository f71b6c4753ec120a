"""What is kept of a payload: its shape, its numbers, ids and names; no prose and no keys."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.ingest.rejections import redaction as module
from services.ingest.rejections.redaction import (
    LOOKED_AT_BYTES_MAX,
    REDACTED,
    _Place,
    redact,
    redact_message,
)
from tests.unit.services.ingest.adapters.golden_cases import OTLP, read_cases, run

PROMPT = "Please tell me how to lose my key at home"
KEYS = (
    *("sk-proj-abcdefgh12345678", "wtk_abcd_secretsecret", "Bearer abcdefgh", "AKIA0123456789AB"),
    *("xoxb-1234567890", "ghp_abcdefghijkl", "eyJhbGciOiJIUzI1NiJ9.e30", "Basic dXNlcjpwYXNz"),
    "https://user:secret@example.com",
)


def kept(text: str | bytes, bytes_max: int = 10_000) -> str:
    raw = text.encode() if isinstance(text, str) else text
    return redact(raw, bytes_max).payload.decode("utf-8", "replace")


def test_ids_names_and_numbers_stay_and_prose_does_not() -> None:
    event = {
        **{"id": "chatcmpl-1", "model": "gpt-5", "source": "My Service 2", "input_tokens": 12},
        **{"prompt": PROMPT, "messages": [{"role": "user", "content": PROMPT, "id": "m1"}]},
        **{"usage": {"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": "2"}}},
    }
    assert json.loads(kept(json.dumps(event))) == {
        **event,
        "prompt": REDACTED,
        "messages": [{"role": REDACTED, "content": REDACTED, "id": REDACTED}],
    }


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("name", ["authorization", "id", "model", "tokens", "reason", "x"])
def test_no_key_stays_wherever_it_stands(key: str, name: str) -> None:
    for text in (json.dumps({name: key}), json.dumps({key: 1}), f'{{"{name}": "{key}', key):
        assert key not in kept(text)
        assert key.removeprefix("Bearer ").removeprefix("Basic ") not in kept(text)
    assert key not in redact_message(f"{name} is the text {key!r}: give another")
    assert key not in redact_message(f"{key!r} is no field of an event: remove it")


@pytest.mark.parametrize("name", ["id", "model", "source", "status", "type", "usage_format"])
def test_prose_stays_under_no_name(name: str) -> None:
    assert PROMPT not in kept(json.dumps({name: PROMPT}))


@pytest.mark.parametrize(
    "broken",
    [
        f'{{"id": "a", "content": "{PROMPT}',
        f"{{'id': 'a', 'content': '{PROMPT}'}}",
        PROMPT,
        f'{{"content": "{PROMPT}\\',
        f'{{"content": {PROMPT}}}',
        f'{{"content" "{PROMPT}"',
        f'"{PROMPT}": 1',
    ],
)
def test_what_is_no_json_is_redacted_as_well(broken: str) -> None:
    words = set(PROMPT.split())
    assert not words & set(kept(broken).replace('"', " ").split())


def test_bytes_that_are_no_text_are_redacted() -> None:
    assert kept(b'{"id":"\xff\xfe","model":"m"}').startswith('{"id":')
    assert kept(b"\x0a\x05\xff\x00 tell").strip() == "? ?"


@pytest.mark.parametrize("bytes_max", [0, 1, 10, 100])
def test_it_is_cut_at_the_limit_and_says_so(bytes_max: int) -> None:
    found = redact(json.dumps({"id": "a", "numbers": list(range(1000))}).encode(), bytes_max)
    assert found.cut
    assert len(found.payload) <= bytes_max


def test_a_message_shows_no_value() -> None:
    shown = redact_message("model is the text 'how to': give a text; 'x' is no field")
    assert shown == "model is a text: give a text; 'x' is no field"
    assert redact_message("xai_chat, perplexity") == "xai_chat, perplexity"


TAKEN = [
    case
    for case in read_cases()
    if case.path not in OTLP
    and case.document["usage_events"]
    and "rejected" not in case.document
    and "body" in case.document["request"]
    and "json" in (case.document["request"]["content_type"] or "")
    and not any(name.startswith("ce-") for name in case.document["request"].get("headers", {}))
]


@pytest.mark.parametrize("case", TAKEN, ids=lambda case: case.name)
def test_a_redacted_payload_is_metered_as_the_whole_one(case: Any) -> None:
    """Or what was kept could not be requeued."""
    request = case.document["request"]
    body = json.dumps(request["body"], ensure_ascii=False).encode()
    redacted = redact(body, 1_000_000)
    assert not redacted.cut
    document = {**case.document, "request": {**request, "text": redacted.payload.decode()}}
    records = run(type(case)(case.name, document, "json")).records
    distinct = [
        (json.loads(one["value"]), json.loads(two["value"]))
        for one, two in zip(run(case).records, records, strict=True)
        if one["value"] != two["value"] and case.path != "/v1/portkey"
    ]
    assert distinct == []


def test_what_lies_far_back_is_neither_looked_at_nor_kept() -> None:
    found = redact(b'"' + b"x" * LOOKED_AT_BYTES_MAX + b'", "id": "a"', 10_000)
    assert (found.payload, found.cut) == (f'"{REDACTED}"'.encode(), True)


def test_each_step_looks_at_one_name_however_deep_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[bytes] = []

    def counting(name: bytes) -> bool:
        looked_at.append(name)
        return True

    monkeypatch.setattr(module, "_is_read_within", counting)
    redact(b"[" * 3000 + b'"a",' * 2000, 100_000)
    assert len(looked_at) == 3000


def test_a_long_name_is_not_carried_along() -> None:
    place = _Place()
    place.enter(b"n" * 100_000 + b"tokens")
    assert len(place.name) < 10
