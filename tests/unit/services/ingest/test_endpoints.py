"""The two ways in, from the request's bytes to the answer, on a log that is a list."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from schemas import wire
from services.ingest import batches
from services.ingest.endpoints import Endpoints
from services.ingest.errors import BusyError, EventRejectedError, RequestError
from services.ingest.keys.entry import KeyEntry, KeyLimits
from services.ingest.keys.ring import KeyRing
from services.ingest.keys.secret import new_key
from services.ingest.metrics import IngestMetrics
from services.ingest.records import Record
from services.ingest.rejections.record import KeptRejection, decode
from services.ingest.salvage import check_readable
from services.ingest.settings import IngestSettings

PEPPER = b"p" * 32
NOW = datetime(2026, 3, 15, 12, 1, tzinfo=UTC)
KEY, ENTRY = new_key("acme", "eu", PEPPER, "openai")
EVENT: dict[str, Any] = {
    "id": "a",
    "source": "gw",
    "time": "2026-03-15T12:00:00Z",
    "model": "m",
    "input_tokens": 10,
    "output_tokens": 5,
}
CLOUD_EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "type": "litellm_tokens",
    "id": "a",
    "source": "litellm-proxy",
    "data": {"model": "m", "prompt_tokens": 1, "completion_tokens": 2},
}


class ListLog:
    """A log in memory, which can be made to not acknowledge."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.busy = False

    async def publish(self, records: list[Record]) -> None:
        if self.busy:
            raise BusyError("not acknowledged", 5)
        self.records += records


class ListRejections:
    """A topic of rejections in memory."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    async def put(self, records: list[Record]) -> None:
        self.records += records

    def kept(self) -> list[KeptRejection]:
        found = [decode(record["value"]) for record in self.records]
        return [one for one in found if one is not None]


class Service:
    """The endpoints as an application, with what they wrote and counted."""

    def __init__(self, entry: KeyEntry = ENTRY, **settings: Any) -> None:
        self.log = ListLog()
        self.metrics = IngestMetrics()
        self.rejections = ListRejections()
        endpoints = Endpoints(
            *(IngestSettings(**settings), KeyRing([entry], PEPPER), self.log, self.metrics),
            self.rejections,
            utc_now=lambda: NOW,
        )
        self.endpoints = endpoints
        self.app = Starlette(
            routes=[
                Route("/v1/events", endpoints.native, methods=["POST"]),
                Route("/api/v1/events", endpoints.openmeter, methods=["POST"]),
                Route("/v1/whoami", endpoints.whoami),
            ]
        )

    def post(
        self,
        path: str,
        content: object,
        media: str | None = "application/json",
        headers: Mapping[str, str] | None = None,
        key: str | None = KEY,
    ) -> httpx.Response:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        given = dict(headers or {})
        if media is not None:
            given["content-type"] = media
        if key is not None:
            given["authorization"] = f"Bearer {key}"

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as client:
                return await client.post(path, content=in_chunks(body), headers=given)

        return asyncio.run(send())

    def get(self, path: str, key: str | None = KEY) -> httpx.Response:
        headers = {} if key is None else {"authorization": f"Bearer {key}"}

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as client:
                return await client.get(path, headers=headers)

        return asyncio.run(send())

    def native(self, content: object, media: str | None = "application/json") -> httpx.Response:
        return self.post("/v1/events", content, media)

    def openmeter(
        self, content: object, media: str | None = "application/cloudevents+json"
    ) -> httpx.Response:
        return self.post("/api/v1/events", content, media)

    def ids(self) -> list[str]:
        return [wire.decode(record["value"]).id for record in self.log.records]

    def sample(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


async def in_chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 100):
        yield body[start : start + 100]


@pytest.fixture
def service() -> Service:
    return Service(ingest_wire_bytes_max=1000, ingest_events_max=4)


@pytest.mark.parametrize("media", ["application/json", "Application/JSON; charset=utf-8"])
def test_all_taken_is_202(service: Service, media: str) -> None:
    answer = service.native([EVENT, EVENT | {"id": "b"}], media)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 2})
    assert service.ids() == ["a", "b"]
    assert service.sample("wattoken_ingest_events_accepted_total") == 2


@pytest.mark.parametrize("media", ["application/x-ndjson", "application/ndjson"])
def test_ndjson_is_taken(service: Service, media: str) -> None:
    assert service.native(json.dumps(EVENT).encode() + b"\n", media).status_code == 202
    assert service.ids() == ["a"]


def test_some_taken_is_207(service: Service) -> None:
    answer = service.native([{}, EVENT])
    assert answer.status_code == 207
    body = answer.json()
    assert body["accepted"] == 1
    assert [set(item) for item in body["rejected"]] == [{"index", "code", "message"}]
    assert body["rejected"][0]["index"] == 0
    assert service.ids() == ["a"]
    assert service.sample("wattoken_ingest_events_rejected_total", code="missing_field") == 1


def test_none_taken_is_400(service: Service) -> None:
    answer = service.native([{}])
    assert (answer.status_code, answer.json()["accepted"]) == (400, 0)
    assert service.ids() == []


def test_no_json_is_400(service: Service) -> None:
    assert service.native(b"{").json()["error"]["code"] == "malformed_body"


def test_what_is_not_acknowledged_is_503_and_counted_nowhere(service: Service) -> None:
    service.log.busy = True
    for answer in (service.native([EVENT, {}]), service.openmeter(CLOUD_EVENT)):
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"
    assert service.sample("wattoken_ingest_events_accepted_total") == 0
    assert service.sample("wattoken_ingest_events_rejected_total", code="missing_field") == 0


@pytest.mark.parametrize("path", ["/v1/events", "/api/v1/events"])
def test_the_key_comes_first(service: Service, path: str) -> None:
    answer = service.post(path, b"x" * 2000, "text/plain", key=None)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("path", "media"),
    [
        ("/v1/events", None),
        ("/v1/events", "text/plain"),
        ("/v1/events", "application/x-protobuf"),
        ("/api/v1/events", None),
        ("/api/v1/events", "application/x-ndjson"),
    ],
)
def test_other_types_are_415_and_told_which_to_use(
    service: Service, path: str, media: str | None
) -> None:
    answer = service.post(path, EVENT, media)
    assert answer.status_code == 415
    assert "use application/" in answer.text


def test_other_encodings_are_415(service: Service) -> None:
    answer = service.post("/v1/events", EVENT, headers={"content-encoding": "br"})
    assert answer.status_code == 415
    assert answer.headers["accept-encoding"] == "gzip, zstd"


def test_too_much_is_413(service: Service) -> None:
    assert service.native(b" " * 1001).status_code == 413
    assert service.native([{}] * 5).status_code == 413


def test_openmeter_all_taken_is_204_without_a_body(service: Service) -> None:
    answer = service.openmeter(CLOUD_EVENT)
    assert (answer.status_code, answer.content) == (204, b"")
    batch = [CLOUD_EVENT | {"id": "b"}, CLOUD_EVENT | {"id": "c"}]
    assert service.openmeter(batch, "application/cloudevents-batch+json").status_code == 204
    assert service.openmeter(CLOUD_EVENT | {"id": "d"}, "application/json").status_code == 204
    assert service.openmeter([CLOUD_EVENT | {"id": "e"}], "application/json").status_code == 204
    assert service.ids() == ["a", "b", "c", "d", "e"]


def test_openmeter_takes_none_where_one_is_bad(service: Service) -> None:
    answer = service.openmeter([CLOUD_EVENT, {}, CLOUD_EVENT], "application/json")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["type"], problem["status"]) == ("about:blank", 400)
    assert "event 1: " in problem["detail"]
    assert [item["index"] for item in problem["extensions"]["validationErrors"]] == [1]
    assert service.ids() == []
    assert service.sample("wattoken_ingest_events_accepted_total") == 0


@pytest.mark.parametrize(
    ("content", "media", "status"),
    [
        (b"{", "application/cloudevents+json", 400),
        ([CLOUD_EVENT], "application/cloudevents+json", 400),
        (CLOUD_EVENT, "text/plain", 415),
        (b" " * 1001, "application/json", 413),
    ],
)
def test_openmeter_refusals_are_problems(
    service: Service, content: object, media: str, status: int
) -> None:
    answer = service.openmeter(content, media)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


def test_no_body_stays_accounted_for(service: Service) -> None:
    contents: list[object] = [EVENT, b"{", b" " * 1001, [{}] * 5]
    for content in contents:
        service.native(content)
    assert service.sample("wattoken_ingest_held_bytes") == 0


@pytest.mark.parametrize("limit", ["events_per_second", "bytes_per_second"])
def test_a_key_beyond_its_rate_is_429_and_none_of_its_events_taken(limit: str) -> None:
    limits = KeyLimits(**{limit: 1 if limit.startswith("events") else 100})
    service = Service(ENTRY.model_copy(update={"limits": limits}))
    assert service.native([EVENT | {"id": str(n)} for n in range(3)]).status_code == 202
    for answer in (service.native([EVENT | {"id": "x"}]), service.openmeter(CLOUD_EVENT)):
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1
    assert "x" not in service.ids()
    assert service.native([EVENT]).json()["error"]["code"] == "rate_limited"


def test_whoami_tells_what_a_key_stands_for_and_not_its_hash() -> None:
    entry = ENTRY.model_copy(
        update={
            **{"scopes": ("ingest", "read"), "tenants": ("globex",), "regions": ("us",)},
            "limits": KeyLimits(events_per_second=5, models_max=7),
        }
    )
    service = Service(entry)
    service.native([EVENT])
    answer = service.get("/v1/whoami")
    assert answer.status_code == 200
    told = answer.json()
    assert (told["id"], told["tenant"], told["provider"]) == (entry.id, "acme", "openai")
    assert (told["tenants"], told["regions"]) == (["acme", "globex"], ["eu", "us"])
    assert (told["limits"]["events_per_second"], told["limits"]["models_max"]) == (5, 7)
    assert told["named_today"] == {"models": 1, "regions": 1, "providers": 1, "series": 1}
    assert entry.hmac_sha256 not in answer.text


def test_whoami_needs_the_scope_to_read() -> None:
    assert Service().get("/v1/whoami").status_code == 403
    assert Service().get("/v1/whoami", key=None).status_code == 401
    reading = Service(ENTRY.model_copy(update={"scopes": ("read",)}))
    assert reading.get("/v1/whoami").status_code == 200
    assert reading.native([EVENT]).status_code == 403


def test_what_is_refused_is_kept_with_its_reason_and_redacted(service: Service) -> None:
    service.native([{**EVENT, "time": None, "prompt": "how do I get rich"}, EVENT])
    (kept,) = service.rejections.kept()
    assert (kept.key_id, kept.tenant, kept.format) == (ENTRY.id, "acme", "native")
    assert (kept.code, kept.index, kept.refused_at) == ("wrong_type", 0, NOW)
    assert kept.message.startswith("time is null: give an RFC 3339 time")
    assert kept.payload is not None
    assert json.loads(kept.payload) == {**EVENT, "time": None, "prompt": "[redacted]"}


def test_a_whole_request_that_is_refused_is_kept_and_counted(service: Service) -> None:
    service.native(b'{"id": "a", "prompt": "how do I get rich')
    service.native([{}] * 5)
    service.post("/v1/events", EVENT, "text/plain")
    kept = service.rejections.kept()
    assert [(one.code, one.index) for one in kept] == [
        ("malformed_body", None),
        ("too_large", None),
        ("unsupported_type", None),
    ]
    assert kept[0].payload == '{"id": "a", "prompt": "[redacted]"'
    for code in ("malformed_body", "too_large", "unsupported_type"):
        assert service.sample("wattoken_ingest_requests_rejected_total", code=code) == 1


def test_what_has_no_right_or_comes_too_fast_is_not_kept(service: Service) -> None:
    service.post("/v1/events", [{}], key=None)
    service.log.busy = True
    service.native([EVENT, {}])
    limited = Service(ENTRY.model_copy(update={"limits": KeyLimits(events_per_second=1)}))
    for _ in range(3):
        limited.native([EVENT, EVENT, EVENT])
    assert service.rejections.kept() == limited.rejections.kept() == []


def test_a_key_cannot_fill_the_topic() -> None:
    service = Service(ingest_rejected_key_bytes_per_day=40_000)
    for _ in range(10):
        assert service.native([{"id": "x"}] * 100).status_code == 400
    kept = len(service.rejections.kept())
    assert 0 < kept < 40
    assert sum(len(record["value"]) for record in service.rejections.records) < 11_000
    unkept = service.sample("wattoken_ingest_rejections_unkept_total", why="key_limit")
    assert unkept == 1000 - kept


def test_of_one_request_no_more_than_a_bound_is_kept() -> None:
    service = Service()
    service.native([{"id": "x"}] * 300)
    assert len(service.rejections.kept()) == 200
    assert service.sample("wattoken_ingest_rejections_unkept_total", why="request_limit") == 100


@pytest.mark.parametrize(
    ("time", "code"), [("2026-01-01T00:00:00Z", "too_old"), ("2026-03-15T12:30:00Z", "too_new")]
)
@pytest.mark.parametrize("beside", [[], [{"id": "broken"}]], ids=["the quick way", "one by one"])
def test_a_time_that_the_rules_refuse_is_refused_at_once(
    time: str, code: str, beside: list[object]
) -> None:
    service = Service()
    answer = service.native([EVENT | {"time": time}, *beside])
    assert answer.status_code == 400
    assert answer.json()["rejected"][0]["code"] == code
    answer = service.openmeter(CLOUD_EVENT | {"time": time})
    assert (answer.status_code, service.ids()) == (400, [])
    assert service.sample("wattoken_ingest_events_rejected_total", code=code) == 2
    assert {one.code for one in service.rejections.kept()} >= {code}


def test_a_usage_object_without_a_time_costs_no_other_event(service: Service) -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    bad = {"id": "b", "source": "gw", "model": "m", "usage": usage, "usage_format": "openai_chat"}
    answer = service.native([bad, EVENT])
    assert (answer.status_code, service.ids()) == (207, ["a"])
    assert answer.json()["rejected"][0]["code"] == "missing_field"


def test_openmeters_valid_events_of_a_refused_batch_are_kept_too(service: Service) -> None:
    service.openmeter([CLOUD_EVENT, {}, CLOUD_EVENT | {"id": "c"}], "application/json")
    kept = service.rejections.kept()
    assert [(one.index, one.code, one.format) for one in kept] == [
        (1, "invalid_value", "cloudevents"),
        (0, "batch_refused", "native"),
        (2, "batch_refused", "native"),
    ]
    rejected = "wattoken_ingest_events_rejected_total"
    assert service.sample(rejected, code="batch_refused") == 2
    assert service.get("/v1/whoami").status_code == 403


def test_names_of_a_batch_that_was_not_taken_are_not_counted() -> None:
    entry = ENTRY.model_copy(update={"scopes": ("ingest", "read")})
    service = Service(entry)
    other = {**CLOUD_EVENT, "data": {**CLOUD_EVENT["data"], "model": "n"}}
    service.openmeter([other, {}], "application/json")
    assert service.get("/v1/whoami").json()["named_today"]["models"] == 0
    service.openmeter([other, CLOUD_EVENT], "application/json")
    assert service.get("/v1/whoami").json()["named_today"]["models"] == 2


def test_a_fault_of_ours_costs_one_event_and_shows_nothing_of_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(event: Any) -> None:
        if event.id == "b":
            raise KeyError("a secret text")
        check_readable(event)

    monkeypatch.setattr(batches, "check_readable", broken)
    answer = service.native([{}, EVENT, EVENT | {"id": "b"}])
    assert (answer.status_code, service.ids()) == (207, ["a"])
    assert answer.json()["rejected"][1]["code"] == "unreadable"
    assert "KeyError at tests.unit" in answer.text
    assert "a secret text" not in answer.text
    kept = service.rejections.kept()[1]
    assert kept.payload is not None and json.loads(kept.payload)["id"] == "b"


def test_a_fault_of_ours_with_a_whole_body_is_no_5xx(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("a secret text")

    monkeypatch.setattr(batches, "record_of_object", broken)
    answer = service.native(EVENT)
    assert (answer.status_code, "secret" in answer.text) == (400, False)
    assert [one.code for one in service.rejections.kept()] == ["malformed_body"]


def test_a_second_report_that_tells_more_is_counted(service: Service) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
    poor = {**CLOUD_EVENT, "data": {"model": "m", "usage": usage, "usage_format": "openai_chat"}}
    rich = json.loads(json.dumps(poor))
    rich["data"]["usage"]["prompt_tokens_details"] = {"cached_tokens": 8}
    for event in (poor, poor, rich):
        assert service.openmeter(event).status_code == 204
    names = {"first": "cloudevents", "second": "cloudevents", "better": "second"}
    assert service.sample("wattoken_ingest_differing_reports_total", **names) == 1
    tokens = "wattoken_ingest_differing_reports_unmetered_tokens_total"
    assert service.sample(tokens, kind="cache_read") == 8


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"{" * 40,
        json.dumps([EVENT, EVENT | {"id": "b", "input_tokens": -1}]).encode(),
        json.dumps([EVENT, EVENT | {"id": "b", "region": "none of the key's"}]).encode(),
    ],
)
def test_a_refusal_keeps_nothing_of_its_request(body: bytes) -> None:
    """An error that its own frame holds keeps the body until the collector looks, and it rests."""

    def errors() -> list[Exception]:
        kinds = (RequestError, EventRejectedError)
        return [one for one in gc.get_objects() if isinstance(one, kinds)]

    service = Service(ENTRY.model_copy(update={"regions": ()}))
    service.post("/v1/events", content=body)
    gc.collect()
    gc.disable()
    try:
        others = errors()
        for _ in range(3):
            assert service.post("/v1/events", content=body).status_code in (207, 400)
        kept = [one for one in errors() if all(one is not other for other in others)]
    finally:
        gc.enable()
    assert kept == []
