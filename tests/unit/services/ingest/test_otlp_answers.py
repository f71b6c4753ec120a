"""OTLP's answers, read back with OpenTelemetry's own classes."""

from __future__ import annotations

import json

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from services.ingest import otlp_answers
from services.ingest.adapters.protobuf_wire import Budget, fields
from services.ingest.batches import Batch, Rejection
from services.ingest.errors import (
    BusyError,
    ForbiddenError,
    MalformedError,
    RateLimitError,
    ReadTimeoutError,
    RequestError,
    TooLargeError,
    UnauthorizedError,
    UnsupportedError,
)

BAD: list[Rejection] = [
    {"index": index, "code": "wrong_type", "message": f"fault {index}"} for index in range(12)
]


def test_all_taken_is_200_and_empty() -> None:
    answer = otlp_answers.outcome("traces", Batch(skipped=3), json=False)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.content_type == "application/x-protobuf"
    answer = otlp_answers.outcome("traces", Batch(), json=True)
    assert (answer.status, answer.body, answer.content_type) == (200, b"{}", "application/json")


def test_some_taken_is_a_partial_success() -> None:
    answer = otlp_answers.outcome("traces", Batch(rejections=BAD), json=False)
    assert answer.status == 200
    traces = ExportTraceServiceResponse.FromString(answer.body).partial_success
    assert traces.rejected_spans == 12
    assert traces.error_message.startswith("span 0: fault 0; ")
    assert traces.error_message.endswith("span 9: fault 9; and 2 more")
    answer = otlp_answers.outcome("logs", Batch(rejections=BAD[:1]), json=False)
    logs = ExportLogsServiceResponse.FromString(answer.body).partial_success
    assert (logs.rejected_log_records, logs.error_message) == (1, "log record 0: fault 0")
    answer = otlp_answers.outcome("logs", Batch(rejections=BAD[:1]), json=True)
    assert json.loads(answer.body) == {
        "partialSuccess": {"rejectedLogRecords": "1", "errorMessage": "log record 0: fault 0"}
    }


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (MalformedError("x"), 400, 3),
        (UnauthorizedError("x"), 401, 16),
        (ForbiddenError("x"), 403, 7),
        (TooLargeError("x"), 413, 3),
        (UnsupportedError("x"), 415, 3),
        (RateLimitError("x", 7), 429, 8),
        (BusyError("x", 7), 503, 14),
    ],
)
def test_refusals_are_a_status_in_either_encoding(
    error: RequestError, status: int, code: int
) -> None:
    answer = otlp_answers.refusal(error, json=True)
    assert (answer.status, answer.headers) == (status, error.headers)
    assert json.loads(answer.body) == {"code": code, "message": error.message}
    answer = otlp_answers.refusal(error, json=False)
    found = {
        number: value if isinstance(value, int) else bytes(value)
        for number, value in fields(memoryview(answer.body), Budget(9))
    }
    assert found == {1: code, 2: error.message.encode()}
    assert answer.content_type == "application/x-protobuf"


def test_a_body_that_came_too_slowly_may_be_sent_again() -> None:
    answer = otlp_answers.refusal(ReadTimeoutError("slow"), json=True)
    assert (answer.status, answer.headers) == (503, {"Retry-After": "1"})
