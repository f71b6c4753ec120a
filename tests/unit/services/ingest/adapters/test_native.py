"""Native events: what the key fills in, and what is wrong with those that are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas import wire
from schemas.identity import compact_id
from schemas.usage_event import UsageEvent
from services.ingest.adapters.native import adapt
from services.ingest.errors import EVENT_CODES, EventRejectedError
from services.ingest.keys.entry import KeyEntry
from tests.versions.effort import examples

KEY = KeyEntry(id="abcd", hmac_sha256="0" * 64, tenant="acme", region="eu", provider="openai")
NO_PROVIDER = KEY.model_copy(update={"provider": None})
EVENT: dict[str, Any] = {
    "id": "a",
    "source": "gw",
    "time": "2026-03-15T13:00:00+01:00",
    "model": "m",
    "input_tokens": 10,
    "output_tokens": 5,
}


COUNTS = [name for name in UsageEvent.model_fields if name.endswith("_tokens")]


def raw(**fields: Any) -> bytes:
    return json.dumps({k: v for k, v in (EVENT | fields).items() if v is not ...}).encode()


def rejection(record: bytes, key: KeyEntry = KEY) -> EventRejectedError:
    with pytest.raises(EventRejectedError) as caught:
        adapt(record, key)
    assert caught.value.code in EVENT_CODES
    return caught.value


def test_the_key_fills_in_what_is_not_said() -> None:
    event = adapt(raw(), KEY)
    assert (event.tenant, event.region, event.provider) == ("acme", "eu", "openai")


def test_what_is_said_wins_over_the_key_but_for_the_tenant() -> None:
    event = adapt(raw(region="us", provider="azure", tenant="acme"), KEY)
    assert (event.tenant, event.region, event.provider) == ("acme", "us", "azure.ai.openai")
    assert rejection(raw(tenant="globex")).code == "tenant_not_allowed"


def test_the_foreign_tenant_is_told_before_other_faults() -> None:
    assert rejection(raw(tenant="globex", input_tokens=-1)).code == "tenant_not_allowed"


def test_without_any_provider_the_event_is_refused() -> None:
    error = rejection(raw(), NO_PROVIDER)
    assert error.code == "missing_field"
    assert error.message.startswith("provider is missing")
    assert adapt(raw(provider="azure"), NO_PROVIDER).provider == "azure.ai.openai"


def test_the_time_on_the_log_is_utc() -> None:
    encoded = json.loads(wire.encode(adapt(raw(), KEY)))
    assert encoded["time"] == "2026-03-15T12:00:00Z"


@pytest.mark.parametrize(
    ("fields", "code", "said"),
    [
        ({"input_tokens": ...}, "missing_field", "input_tokens is missing: give an integer"),
        ({"output_tokens": None}, "wrong_type", "output_tokens is null: give an integer"),
        ({"input_tokens": 1.5}, "wrong_type", "input_tokens is the number 1.5"),
        ({"input_tokens": True}, "wrong_type", "input_tokens is true"),
        ({"input_tokens": "7"}, "wrong_type", "input_tokens is the text '7'"),
        ({"input_tokens": -1}, "out_of_range", "input_tokens is the number -1"),
        (
            {"input_tokens": 2**64},
            "out_of_range",
            "input_tokens is the number 18446744073709551616",
        ),
        ({"input_tokens": 10**50}, "out_of_range", "an integer of more than 20 digits"),
        ({"id": ""}, "out_of_range", "id is the text ''"),
        ({"source": "x" * 129}, "out_of_range", "source is a text of 129 characters"),
        ({"model": {}}, "wrong_type", "model is an object"),
        ({"tenant": None}, "wrong_type", "tenant is null"),
        ({"region": 5}, "wrong_type", "region is the number 5"),
        ({"time": "2026-03-15"}, "invalid_time", "time is the text '2026-03-15': give an RFC 3339"),
        ({"time": "1990-01-01T00:00:00Z"}, "invalid_time", "between the years 2000 and 2100"),
        ({"time": 1773576000}, "wrong_type", "time is the number 1773576000"),
        ({"status": "failed"}, "invalid_value", "status is the text 'failed': give ok or error"),
        ({"tokens": 5}, "unknown_field", "'tokens' is no field of an event"),
        ({"input_token": 5}, "unknown_field", "did you mean input_tokens?"),
        ({"zzz": 5}, "unknown_field", "'zzz' is no field of an event: remove it"),
        ({"cache_read_input_tokens": 11}, "subset_exceeds_total", "must not exceed input_tokens"),
        ({"adjusts": "b"}, "adjustment_fields", "belong to entry debit or credit"),
    ],
)
def test_a_rejection_names_field_fault_and_remedy(
    fields: dict[str, Any], code: str, said: str
) -> None:
    error = rejection(raw(**fields))
    assert error.code == code
    assert said in error.message


def test_several_faults_are_told_at_once_but_not_without_end() -> None:
    message = rejection(b"{}").message
    assert message.count("is missing") == 3
    assert message.endswith("and 3 more")


@pytest.mark.parametrize("record", [b"", b"{", b"nope", b'{"id":"\xff"}', b'{"id":' * 5000])
def test_what_is_no_json_says_so(record: bytes) -> None:
    assert rejection(record).code == "invalid_json"


@pytest.mark.parametrize("record", [b"1", b'"x"', b"null", b"[]"])
def test_what_is_no_object_says_so(record: bytes) -> None:
    assert rejection(record).code == "not_an_object"


def test_a_key_given_twice_with_a_bad_value_first_still_says_something() -> None:
    error = rejection(b'{"id":5,' + raw()[1:])
    assert "id" in error.message


def test_messages_stay_short_whatever_is_sent() -> None:
    for fields in ({"x" * 10_000: 1}, {"source": "x" * 10_000}, {"status": "x" * 10_000}):
        assert len(rejection(raw(**fields)).message) < 400


VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        True,
        "",
        "acme",
        "x" * 129,
        0,
        -1,
        1.0,
        2**64,
        "2026-03-15T12:00:00Z",
        "ok",
        "debit",
        [],
    ]
)


@given(
    fields=st.dictionaries(st.sampled_from([*UsageEvent.model_fields, "zzz"]), VALUES, max_size=4),
    dropped=st.sets(st.sampled_from(sorted(EVENT)), max_size=1),
)
@settings(max_examples=examples(500), deadline=None)
def test_it_takes_exactly_what_the_model_takes(fields: dict[str, Any], dropped: set[str]) -> None:
    sent = {name: value for name, value in (EVENT | fields).items() if name not in dropped}
    whole = {"tenant": "acme", "region": "eu", "provider": "openai"} | sent
    for name in ("id", "adjusts"):
        if isinstance(whole.get(name), str):
            whole[name] = compact_id(str(whole[name]))
    failed = sent.get("status") == "error" and all(sent.get(name) is None for name in COUNTS)
    if failed:
        whole |= {"input_tokens": 0, "output_tokens": 0}
    try:
        expected: dict[str, Any] | None = UsageEvent.model_validate(whole).model_dump()
    except ValidationError:
        expected = None
    if expected is not None and expected["tenant"] != "acme":
        expected = None
    try:
        event = adapt(json.dumps(sent).encode(), KEY)
    except EventRejectedError:
        assert expected is None
    else:
        # The order of the fields is not part of what an event is.
        assert {name: getattr(event, name) for name in event.__struct_fields__} == expected
        assert wire.decode(wire.encode(event)).tenant == "acme"
