"""PURE: what a request's outcome is answered with, on our own path and on OpenMeter's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import Any, Final

import msgspec

from services.ingest.batches import Rejection
from services.ingest.errors import RequestError
from services.ingest.keys.entry import in_utc
from services.ingest.keys.key import Key

JSON: Final = "application/json"
PROBLEM_JSON: Final = "application/problem+json"
_DETAILED_MAX: Final = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body and headers of a response."""

    status: int
    body: bytes = b""
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def native_outcome(accepted: int, rejections: Sequence[Rejection], skipped: int = 0) -> Answer:
    """Answer for events taken one by one: 202 all, 207 some, 400 none.

    ``skipped`` were no usage to begin with, and make no answer an error.
    """
    body: dict[str, Any] = {"accepted": accepted}
    if skipped:
        body["skipped"] = skipped
    if not rejections:
        return _json(HTTPStatus.ACCEPTED, body)
    status = HTTPStatus.MULTI_STATUS if accepted or skipped else HTTPStatus.BAD_REQUEST
    return _json(status, body | {"rejected": rejections})


def native_refusal(error: RequestError) -> Answer:
    """Answer for a request that is refused as a whole."""
    body = {"error": {"code": error.code, "message": error.message}}
    return _json(error.status, body, error.headers)


def openmeter_outcome(rejections: Sequence[Rejection], events: int) -> Answer:
    """Answer as OpenMeter does: 204 for all, or 400 and none of them was taken."""
    if not rejections:
        return Answer(HTTPStatus.NO_CONTENT)
    told = [f"event {item['index']}: {item['message']}" for item in rejections[:_DETAILED_MAX]]
    if len(rejections) > len(told):
        told.append(f"and {len(rejections) - len(told)} more")
    detail = f"none taken, {len(rejections)} of {events} not valid: {'; '.join(told)}"
    return _problem(HTTPStatus.BAD_REQUEST, detail, {"validationErrors": rejections}, {})


def openmeter_refusal(error: RequestError) -> Answer:
    """Answer as OpenMeter does for a request that is refused as a whole."""
    return _problem(error.status, error.message, {"code": error.code}, error.headers)


def whoami(key: Key) -> Answer:
    """Tell a key's bearer what it stands for and how much it may send; never its hash."""
    entry, use = key.entry, key.use
    body = {
        "id": entry.id,
        "tenant": entry.tenant,
        "tenants": [entry.tenant, *(name for name in entry.tenants if name != entry.tenant)],
        "region": entry.region,
        # null: any.
        "regions": None if entry.regions is None else sorted({entry.region, *entry.regions}),
        "provider": entry.provider,
        "scopes": entry.scopes,
        "expires_at": None if entry.expires_at is None else in_utc(entry.expires_at),
        "limits": asdict(use.allowance),
        "named_today": {
            "models": len(use.models),
            "regions": len(use.regions),
            "providers": len(use.providers),
            "series": len(use.series),
        },
    }
    return _json(HTTPStatus.OK, body)


def _problem(
    status: int, detail: str, extensions: Mapping[str, Any], headers: Mapping[str, str]
) -> Answer:
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        "extensions": extensions,
    }
    return Answer(status, msgspec.json.encode(body), PROBLEM_JSON, headers)


def _json(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, msgspec.json.encode(body), JSON, headers or {})
