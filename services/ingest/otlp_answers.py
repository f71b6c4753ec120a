"""PURE: answers of the OTLP paths, as the OTLP/HTTP specification words them.

200 for all and for some, the latter with `partial_success`; every refusal is a google.rpc.Status.
Both come in the encoding of the request. A client retries 429, 502, 503 and 504 only, so what a
retry can fix must be one of these.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import msgspec

from services.ingest.adapters.protobuf_wire import field
from services.ingest.answers import JSON, Answer
from services.ingest.batches import Batch
from services.ingest.errors import ReadTimeoutError, RequestError
from services.ingest.formats import PROTOBUF
from services.ingest.gateway_batches import Signal

_DETAILED_MAX: Final = 10
_REJECTED: Final = {"traces": "rejectedSpans", "logs": "rejectedLogRecords"}
_ELEMENT: Final = {"traces": "span", "logs": "log record"}
#: Codes of google.rpc.Status for the statuses that ingest refuses with.
_RPC_CODES: Final = {400: 3, 401: 16, 403: 7, 413: 3, 415: 3, 429: 8, 503: 14}
_RPC_UNKNOWN: Final = 2
_RETRY_AFTER_SECONDS: Final = 1


def outcome(signal: Signal, batch: Batch, *, json: bool) -> Answer:
    """Answer for spans or log records taken one by one."""
    rejections = batch.rejections
    if not rejections:
        return _answer(HTTPStatus.OK, b"{}" if json else b"", json=json)
    element = _ELEMENT[signal]
    told = [f"{element} {item['index']}: {item['message']}" for item in rejections[:_DETAILED_MAX]]
    if len(rejections) > len(told):
        told.append(f"and {len(rejections) - len(told)} more")
    message = "; ".join(told)
    if json:
        partial = {_REJECTED[signal]: str(len(rejections)), "errorMessage": message}
        return _answer(HTTPStatus.OK, msgspec.json.encode({"partialSuccess": partial}), json=True)
    partial_success = field(1, len(rejections)) + field(2, message.encode())
    return _answer(HTTPStatus.OK, field(1, partial_success), json=False)


def refusal(error: RequestError, *, json: bool) -> Answer:
    """Answer for a request that is refused as a whole."""
    status, headers = error.status, error.headers
    if isinstance(error, ReadTimeoutError):
        # 408 would make the client drop what a second try may bring.
        status = HTTPStatus.SERVICE_UNAVAILABLE
        headers = {"Retry-After": str(_RETRY_AFTER_SECONDS)}
    code = _RPC_CODES.get(status, _RPC_UNKNOWN)
    if json:
        body = msgspec.json.encode({"code": code, "message": error.message})
    else:
        body = field(1, code) + field(2, error.message.encode())
    answer = _answer(status, body, json=json)
    return Answer(answer.status, answer.body, answer.content_type, headers)


def _answer(status: int, body: bytes, *, json: bool) -> Answer:
    return Answer(status, body, JSON if json else PROTOBUF)
