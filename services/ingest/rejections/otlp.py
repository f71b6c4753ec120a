"""PURE: a span or log record as an OTLP request in JSON of what is read of it, and nothing else."""

from __future__ import annotations

from typing import Any

import msgspec

from services.ingest.adapters.genai import GenAiRecord
from services.ingest.rejections.redaction import REDACTED, may_be_kept


def otlp_request(record: GenAiRecord) -> bytes:
    """Write a request that holds this element alone; its attributes are those that rules read."""
    element: dict[str, Any] = {
        "traceId": record.trace_id,
        "spanId": record.span_id,
        "attributes": [_attribute(key, value) for key, value in record.attributes.items()],
    }
    resource = {"attributes": [_attribute("service.name", record.service)]}
    if not record.is_span:
        element["timeUnixNano"] = str(record.end_unix_ns)
        logs = [{"resource": resource, "scopeLogs": [{"logRecords": [element]}]}]
        return msgspec.json.encode({"resourceLogs": logs})
    element |= {
        "parentSpanId": record.parent_id,
        "startTimeUnixNano": str(record.start_unix_ns),
        "endTimeUnixNano": str(record.end_unix_ns),
        "status": {"code": 2 if record.failed else 0},
    }
    spans = [{"resource": resource, "scopeSpans": [{"spans": [element]}]}]
    return msgspec.json.encode({"resourceSpans": spans})


def _attribute(key: str, value: Any) -> dict[str, Any]:
    match value:
        case bool():
            any_value: dict[str, Any] = {"boolValue": value}
        case int():
            any_value = {"intValue": str(value)}
        case float():
            any_value = {"doubleValue": value}
        case str():
            any_value = {"stringValue": value if may_be_kept(value) else REDACTED}
        case _:
            any_value = {}
    return {"key": key, "value": any_value}
