"""What was refused is metered as ingest would now, once what stood in its way is fixed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from schemas import wire
from schemas.identity import identity_hash
from services.ingest.batches import BatchLimits
from services.ingest.gateway_batches import otlp
from services.ingest.keys.entry import KeyEntry
from services.ingest.keys.key import Key
from services.ingest.keys.limits import Allowance, KeyUse
from services.ingest.rejections.budget import KeptBudget
from services.ingest.rejections.keeping import Keeping
from services.ingest.rejections.record import Format, KeptRejection, decode
from services.ingest.times import ANY_TIME, TimeLimits
from services.rejected.requeue import record_again

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
ENTRY = KeyEntry(id="abcd", hmac_sha256="0" * 64, tenant="acme", region="eu", provider="openai")
EVENT: dict[str, Any] = {
    **{"id": "a", "source": "gw", "time": "2026-03-15T12:00:00Z", "model": "m"},
    **{"input_tokens": 10, "output_tokens": 5},
}
CLOUD_EVENT = {
    **{"specversion": "1.0", "type": "t", "source": "s", "id": "a"},
    "data": {"model": "m", "prompt_tokens": 1, "completion_tokens": 2},
}
LITELLM = {
    **{"id": "chatcmpl-0123456789abcdef", "status": "success", "model": "m"},
    **{"custom_llm_provider": "openai", "prompt_tokens": 1, "completion_tokens": 2},
    **{"startTime": 1773575999.0, "endTime": 1773576000.0},
}


def kept(payload: Any, form: Format = "native", **fields: Any) -> KeptRejection:
    text = payload if isinstance(payload, str) else json.dumps(payload)
    base: dict[str, Any] = {"code": "too_many_models", "message": "…", "index": 0, "payload": text}
    return KeptRejection(NOW, "abcd", "acme", form, **base | fields)


@pytest.mark.parametrize(
    ("payload", "form", "identity"),
    [
        (EVENT, "native", ("acme", "gw", "a")),
        (CLOUD_EVENT, "cloudevents", ("acme", "s", "a")),
        (LITELLM, "litellm", ("acme", "litellm-proxy", "chatcmpl-0123456789abcdef")),
    ],
)
def test_it_is_metered_under_its_identity(
    payload: Any, form: Format, identity: tuple[str, str, str]
) -> None:
    record, why = record_again(kept(payload, form), ENTRY, ANY_TIME)
    assert why == ""
    assert record is not None and record["key"] == identity_hash(*identity)
    # Twice is the same, so it counts once.
    assert record_again(kept(payload, form), ENTRY, ANY_TIME)[0] == record


def test_a_span_is_kept_as_what_is_read_of_it() -> None:
    attributes = [
        {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-5"}},
        {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "7"}},
        {"key": "gen_ai.usage.output_tokens", "value": {"doubleValue": 3.0}},
        {"key": "gen_ai.prompt", "value": {"stringValue": "how do I get rich"}},
    ]
    span = {
        **{"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174"},
        **{"startTimeUnixNano": "1773575999000000000", "endTimeUnixNano": "1773576000000000000"},
        "attributes": attributes,
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "app"}}]}
    request = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}
    body = json.dumps(request).encode()
    none_left = Key(ENTRY, KeyUse(Allowance(None, None, 0, 1, 1), 0.0))
    limits = BatchLimits(10, 10_000)
    batch = otlp(body, none_left, NOW, limits, "traces", json=True)
    assert [item["code"] for item in batch.rejections] == ["too_many_models"]
    keeping = Keeping(KeptBudget(10**6, 10**6), 10_000)
    found = keeping.of_batch(batch, ENTRY, "otlp_traces", NOW, 0.0, whole=False)
    rejection = decode(found.records[0]["value"])
    assert rejection is not None and "rich" not in str(rejection.payload)
    record, why = record_again(rejection, ENTRY, ANY_TIME)
    assert (record is not None, why) == (True, "")
    free = Key(ENTRY, KeyUse(Allowance(None, None, 9, 9, 9), 0.0))
    assert otlp(body, free, NOW, limits, "traces", json=True).records == [record]


@pytest.mark.parametrize(
    ("rejection", "why"),
    [
        (msgspec.structs.replace(kept(EVENT), payload=None), "nothing of it could be kept"),
        (kept(EVENT, cut=True), "cut"),
        (kept(EVENT, index=None), "whole request"),
        (kept("{"), "still no valid event"),
        (kept({**EVENT, "time": "x"}), "still refused: time is"),
        (kept({**EVENT, "model": "[redacted]"}), "redacted"),
        (kept({**LITELLM, "cache_hit": True}, "litellm"), "no use of a model"),
        (kept({**EVENT, "tenant": "globex"}), "still refused: tenant"),
    ],
)
def test_what_cannot_be_is_left_with_the_reason(rejection: KeptRejection, why: str) -> None:
    record, said = record_again(rejection, ENTRY, ANY_TIME)
    assert record is None
    assert why in said


def test_the_time_is_judged_as_it_is_now() -> None:
    limits = TimeLimits(NOW.replace(month=4), NOW.replace(month=5))
    record, why = record_again(kept(EVENT), ENTRY, limits)
    assert record is None and "older than" in why


def test_an_event_without_a_time_has_that_of_its_refusal() -> None:
    record, _ = record_again(kept(CLOUD_EVENT, "cloudevents"), ENTRY, ANY_TIME)
    assert record is not None and wire.decode(record["value"]).time == NOW
