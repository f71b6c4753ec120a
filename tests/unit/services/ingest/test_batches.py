"""A body is split into its events, and a faulty one costs no other."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas import wire
from schemas.identity import identity_hash
from services.ingest import batches
from services.ingest.batches import (
    Batch,
    BatchLimits,
    cloud_events,
    native_json,
    native_ndjson,
)
from services.ingest.errors import MalformedError, TooLargeError
from services.ingest.keys.entry import KeyEntry
from services.ingest.keys.key import Key
from services.ingest.keys.limits import NO_LIMITS, Allowance, KeyUse
from services.ingest.salvage import salvaged

ENTRY = KeyEntry(id="abcd", hmac_sha256="0" * 64, tenant="acme", region="eu", provider="openai")
KEY = Key(ENTRY, KeyUse(NO_LIMITS, 0))
LIMITS = BatchLimits(events_max=5, event_bytes_max=1000)
NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


def event(event_id: str, **fields: Any) -> dict[str, Any]:
    base = {"id": event_id, "source": "gw", "time": "2026-03-15T12:00:00Z", "model": "m"}
    return {**base, "input_tokens": 1, "output_tokens": 2, **fields}


def cloud_event(event_id: str, **data: Any) -> dict[str, Any]:
    envelope = {"specversion": "1.0", "type": "t", "source": "s", "id": event_id}
    return envelope | {"data": {"model": "m", "prompt_tokens": 1, "completion_tokens": 2, **data}}


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


def ids(batch: Batch) -> list[str]:
    return [wire.decode(record["value"]).id for record in batch.records]


def faults(batch: Batch) -> list[tuple[int, str]]:
    return [(item["index"], item["code"]) for item in batch.rejections]


def test_one_object_is_one_event() -> None:
    batch = native_json(as_json(event("a")), KEY, LIMITS)
    assert ids(batch) == ["a"]
    assert batch.records[0]["key"] == identity_hash("acme", "gw", "a")
    assert batch.rejections == []


@pytest.mark.parametrize("space", [b"", b" \r\n\t", b" " * 100])
def test_an_array_is_its_elements(space: bytes) -> None:
    body = space + as_json([event("a"), event("b")]) + space
    assert ids(native_json(body, KEY, LIMITS)) == ["a", "b"]


def test_an_empty_array_is_no_events() -> None:
    assert native_json(b"[]", KEY, LIMITS) == Batch()


@pytest.mark.parametrize("bad_at", [0, 1, 2])
@pytest.mark.parametrize("bad", [None, 5, "x", [], {}, {"id": "b"}, event("b", extra=1)])
def test_a_faulty_element_costs_no_other(bad_at: int, bad: object) -> None:
    elements: list[object] = [event("a"), event("c")]
    elements.insert(bad_at, bad)
    batch = native_json(as_json(elements), KEY, LIMITS)
    assert ids(batch) == ["a", "c"]
    assert [index for index, _ in faults(batch)] == [bad_at]


def test_an_element_of_bad_utf8_costs_no_other() -> None:
    body = as_json([event("a"), event("XX")]).replace(b"XX", b"\xff")
    batch = native_json(body, KEY, LIMITS)
    assert (ids(batch), faults(batch)) == (["a"], [(1, "invalid_json")])


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"[", b"]", b"[{}", b"[{},]", b"{}{}", b"[]x", b"nope", b"\xef\xbb\xbf{}"],
)
def test_what_is_no_json_is_refused_whole(body: bytes) -> None:
    with pytest.raises(MalformedError, match="no JSON"):
        native_json(body, KEY, LIMITS)


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b"[[" + b"[" * 5000])
def test_depth_beyond_reason_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedError):
        native_json(body, KEY, LIMITS)


def test_events_up_to_the_limit_and_not_one_more() -> None:
    events = [event(str(n)) for n in range(LIMITS.events_max + 1)]
    assert len(native_json(as_json(events[:-1]), KEY, LIMITS).records) == LIMITS.events_max
    with pytest.raises(TooLargeError, match="more than 5 events"):
        native_json(as_json(events), KEY, LIMITS)
    with pytest.raises(TooLargeError):
        cloud_events(as_json([cloud_event("a")] * 6), KEY, NOW, LIMITS, batch=True)


@pytest.mark.parametrize("element", [b"1", b" 1 ", b"[]", b'"a,b"', b"{}"])
def test_very_many_elements_are_refused_before_they_are_split(element: bytes) -> None:
    body = b"[" + b",".join([element] * 100_000) + b"]"
    with pytest.raises(TooLargeError):
        native_json(body, KEY, LIMITS)


def test_many_commas_within_few_events_are_no_reason_to_refuse() -> None:
    wide = BatchLimits(events_max=2, event_bytes_max=1000)
    elements = [event("a", extra=[0] * 100), event("b")]
    batch = native_json(as_json(elements), KEY, wide)
    assert (ids(batch), faults(batch)) == (["b"], [(0, "unknown_field")])


def test_many_commas_in_what_is_no_json_are_refused() -> None:
    with pytest.raises(MalformedError):
        native_json(b"[1" + b"," * 1000 + b"]", KEY, LIMITS)


@pytest.mark.parametrize("padding", [b" ", b"x"])
def test_a_large_event_is_rejected_alone_whatever_makes_it_large(padding: bytes) -> None:
    large = as_json(event("b")).replace(b'"m"', b'"m"' + padding * 1000)
    if padding == b"x":
        large = as_json(event("b", reason="x" * 1000))
    body = b"[" + as_json(event("a")) + b"," + large + b"]"
    batch = native_json(body, KEY, LIMITS)
    assert (ids(batch), faults(batch)) == (["a"], [(1, "event_too_large")])
    batch = native_ndjson(large, KEY, LIMITS)
    assert faults(batch) == [(0, "event_too_large")]


def test_ndjson_is_its_lines_and_counts_the_blank_ones() -> None:
    lines = [as_json(event("a")), b"", b"  \r", as_json(event("b")) + b"\r", b"{"]
    batch = native_ndjson(b"\n".join(lines), KEY, LIMITS)
    assert ids(batch) == ["a", "b"]
    assert faults(batch) == [(4, "invalid_json")]


def test_ndjson_of_nothing_is_no_events() -> None:
    assert native_ndjson(b"", KEY, LIMITS) == Batch()
    assert native_ndjson(b"\n" * 1000, KEY, LIMITS) == Batch()


def test_ndjson_has_a_limit_too() -> None:
    line = as_json(event("a"))
    full = b"\n".join([line] * LIMITS.events_max) + b"\n"
    assert len(native_ndjson(full, KEY, LIMITS).records) == LIMITS.events_max
    for more in (line, b"\n\n\n" + line, b"x"):
        with pytest.raises(TooLargeError):
            native_ndjson(full + more, KEY, LIMITS)


@pytest.mark.parametrize("batch", [None, False])
def test_one_cloud_event(batch: bool | None) -> None:
    assert ids(cloud_events(as_json(cloud_event("a")), KEY, NOW, LIMITS, batch=batch)) == ["a"]


@pytest.mark.parametrize("batch", [None, True])
def test_many_cloud_events(batch: bool | None) -> None:
    body = as_json([cloud_event("a"), cloud_event("b", model=None), cloud_event("c")])
    found = cloud_events(body, KEY, NOW, LIMITS, batch=batch)
    assert (ids(found), faults(found)) == (["a", "c"], [(1, "missing_field")])


def test_a_content_type_that_says_otherwise_than_the_body_is_refused() -> None:
    with pytest.raises(MalformedError, match="needs one event"):
        cloud_events(as_json([cloud_event("a")]), KEY, NOW, LIMITS, batch=False)
    with pytest.raises(MalformedError, match="needs a JSON array"):
        cloud_events(as_json(cloud_event("a")), KEY, NOW, LIMITS, batch=True)


@pytest.mark.parametrize("as_lines", [False, True])
def test_regions_beyond_the_keys_list_cost_only_themselves(as_lines: bool) -> None:
    entry = ENTRY.model_copy(update={"regions": ("us",)})
    events = [event("a"), event("b", region="us"), event("c", region="mars")]
    batch = read(events, Key(entry, KeyUse(NO_LIMITS, 0)), as_lines)
    assert (ids(batch), faults(batch)) == (["a", "b"], [(2, "region_not_allowed")])


@pytest.mark.parametrize("as_lines", [False, True])
def test_an_event_may_choose_among_the_keys_tenants(as_lines: bool) -> None:
    entry = ENTRY.model_copy(update={"tenants": ("globex",)})
    events = [event("a"), event("a", tenant="globex"), event("c", tenant="initech")]
    key = Key(entry, KeyUse(NO_LIMITS, 0))
    batch = read(events, key, as_lines)
    assert faults(batch) == [(2, "tenant_not_allowed")]
    assert [record["key"] for record in batch.records] == [
        identity_hash("acme", "gw", "a"),
        identity_hash("globex", "gw", "a"),
    ]
    assert read(events[:2], key, as_lines).records == batch.records
    cloud = [cloud_event("a"), cloud_event("b", tenant="globex"), cloud_event("c", tenant="x")]
    found = cloud_events(as_json(cloud), key, NOW, LIMITS, batch=True)
    assert faults(found) == [(2, "tenant_not_allowed")]


@pytest.mark.parametrize("as_lines", [False, True])
@pytest.mark.parametrize("name", ["model", "region", "provider"])
def test_one_name_too_many_is_refused_and_known_ones_go_on(name: str, as_lines: bool) -> None:
    allowance = Allowance(None, None, 2, 2, 2)
    key = Key(ENTRY, KeyUse(allowance, 0), at=1.0)
    events = [event(str(number), **{name: f"n{number % 3}"}) for number in range(5)]
    batch = read(events, key, as_lines)
    assert ids(batch) == ["0", "1", "3", "4"]
    assert faults(batch) == [(2, f"too_many_{name}s")]
    assert "2" in batch.rejections[0]["message"]


def test_an_event_that_nests_beyond_reason_costs_no_other() -> None:
    deep = event("b")
    deep["model"] = json.loads("[" * 40 + "]" * 40)
    batch = native_json(as_json([event("a"), deep]), KEY, LIMITS)
    assert (ids(batch), faults(batch)) == (["a"], [(1, "too_deep")])


def read(events: list[dict[str, Any]], key: Key, as_lines: bool) -> Batch:
    if as_lines:
        return native_ndjson(b"\n".join(map(as_json, events)), key, LIMITS)
    return native_json(as_json(events), key, LIMITS)


@pytest.mark.parametrize(
    ("body", "looks"),
    [
        (as_json(event("a")), 0),
        (as_json(event("a")) + b"\n" + as_json(event("b")), 0),
        (as_json(event("a", cost=float("nan"))), 1),
    ],
)
def test_a_body_is_looked_through_only_where_that_can_help(
    body: bytes, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[bytes] = []

    def counted(text: bytes) -> bytes:
        looked.append(text)
        return salvaged(text)

    monkeypatch.setattr(batches, "salvaged", counted)
    with contextlib.suppress(MalformedError):
        batches.whole(body)
    assert len(looked) == looks
