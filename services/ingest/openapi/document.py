"""PURE: the OpenAPI document: every path, what it takes, and every answer it may give."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from services.ingest.openapi.schemas import Schema, components, ref

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
NDJSON: Final = "application/x-ndjson"
CLOUD_EVENT: Final = "application/cloudevents+json"
CLOUD_EVENTS: Final = "application/cloudevents-batch+json"
PROTOBUF: Final = "application/x-protobuf"
TEXT: Final = "text/plain"

_BINARY: Final[Schema] = {"type": "string", "format": "binary"}
_ANYTHING: Final[Schema] = {"type": "object"}
_SERVER_BUSY: Final = "Kafka did not acknowledge in time, or too much is in flight; send it again."
_REFUSALS: Final = {
    400: "The body cannot be read as what it says it is, or no event in it is valid.",
    401: "No API key, or one that is not known.",
    403: "A known key that is revoked, has expired, or lacks the scope.",
    408: "The body came too slowly.",
    413: "Too many bytes, on the wire or decompressed, or too many events.",
    415: "A content type or encoding that is not spoken here.",
    429: "The key has used up its rate.",
    503: _SERVER_BUSY,
}
_ABOUT: Final = """\
Takes usage of LLMs and answers 2xx only for what Kafka has acknowledged. Bodies may be compressed:
`Content-Encoding: gzip` or `zstd`. Sending an event again is safe: the same tenant, source and id
count once. After 429 and 503, wait for the seconds in `Retry-After` and send the same again."""


def document(version: str) -> dict[str, Any]:
    """Build the document of a version of this package; the same on every call."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Wattoken ingest",
            "version": version,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"apiKey": []}],
        "paths": {
            "/v1/events": {"post": _native()},
            "/api/v1/events": {"post": _openmeter()},
            "/v1/litellm": {"post": _litellm()},
            "/v1/envoy": {"post": _envoy()},
            "/v1/portkey": {"post": _portkey()},
            "/v1/traces": {"post": _otlp("traces", "spans")},
            "/v1/logs": {"post": _otlp("logs", "log records")},
            "/v1/whoami": {"get": _whoami()},
            "/healthz": {"get": _health("Is the process alive?", "healthz")},
            "/readyz": {"get": _health("Can it reach its topic?", "readyz", {503: "It cannot."})},
            "/metrics": {"get": _open("The service's own metrics.", "metrics", TEXT)},
            "/openapi.json": {"get": _open("This document.", "openapi", JSON)},
            "/docs": {"get": _open("This document as a page.", "docs", "text/html")},
        },
        "components": {
            "schemas": components(),
            "securitySchemes": {
                "apiKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "wtk_<id>_<secret>",
                    "description": "Made with `wattoken keys create`.",
                }
            },
        },
    }


def _native() -> Schema:
    return _posting(
        "Send native events, or CloudEvents",
        "What is valid is taken; what is not is named by its index, which counts from 0.",
        "sendEvents",
        {
            JSON: {"anyOf": [ref("Event"), {"type": "array", "items": ref("Event")}]},
            NDJSON: {"type": "string", "description": "One event a line."},
            CLOUD_EVENT: ref("CloudEvent"),
            CLOUD_EVENTS: {"type": "array", "items": ref("CloudEvent")},
        },
        _one_by_one(),
    )


def _litellm() -> Schema:
    return _posting(
        "Send LiteLLM's logs",
        "`StandardLoggingPayload`s, as its generic callback sends them: one, an array, or NDJSON.",
        "sendLiteLlmLogs",
        {
            JSON: {"anyOf": [_ANYTHING, {"type": "array", "items": _ANYTHING}]},
            NDJSON: {"type": "string", "description": "One payload a line."},
        },
        _one_by_one(),
    )


def _envoy() -> Schema:
    return _posting(
        "Send usage events of Envoy AI Gateway",
        "As its HTTP sink posts them, schema v1. The sink can give the API key as the password in"
        " its URL alone, so Basic authorization is taken too.",
        "sendEnvoyUsageEvents",
        {
            JSON: {"anyOf": [_ANYTHING, {"type": "array", "items": _ANYTHING}]},
            NDJSON: {"type": "string", "description": "One event a line."},
        },
        _one_by_one(),
    )


def _portkey() -> Schema:
    return _posting(
        "Send the logs of Portkey's log hook",
        "Its context as it is. Of it only usage, id, time, model, status and provider are read;"
        " headers, config and texts are passed over and not kept.",
        "sendPortkeyLogs",
        {
            JSON: {"anyOf": [_ANYTHING, {"type": "array", "items": _ANYTHING}]},
            NDJSON: {"type": "string", "description": "One log a line."},
        },
        _one_by_one(),
    )


def _one_by_one() -> dict[int, Schema]:
    """Answers of the paths that take events one by one."""
    refusals: dict[int, Schema] = {
        status: _answer(text, {JSON: ref("Refusal")}) for status, text in _REFUSALS.items()
    }
    refusals[400] = _answer(
        _REFUSALS[400], {JSON: {"anyOf": [ref("Refusal"), ref("SomeRejected")]}}
    )
    return {
        202: _answer("All were taken.", {JSON: ref("Accepted")}),
        207: _answer("Some were taken, the others are named.", {JSON: ref("SomeRejected")}),
        **refusals,
    }


def _openmeter() -> Schema:
    return _posting(
        "Send CloudEvents as to OpenMeter",
        "All events are taken or none. LiteLLM's `openmeter` callback sends here.",
        "sendOpenMeterEvents",
        {
            CLOUD_EVENT: ref("CloudEvent"),
            CLOUD_EVENTS: {"type": "array", "items": ref("CloudEvent")},
            JSON: {"anyOf": [ref("CloudEvent"), {"type": "array", "items": ref("CloudEvent")}]},
        },
        {
            204: _answer("All were taken.", {}),
            **{
                status: _answer(text, {PROBLEM: ref("Problem")})
                for status, text in _REFUSALS.items()
            },
        },
    )


def _otlp(signal: str, elements: str) -> Schema:
    refusal = {JSON: ref("OtlpStatus"), PROTOBUF: _BINARY}
    # A slow body is 503 here: an OTLP client drops what is answered with 408.
    refusals = {status: text for status, text in _REFUSALS.items() if status != 408}
    return _posting(
        f"Send OpenTelemetry {signal}",
        f"OTLP/HTTP. GenAI {elements} are metered, others passed over; answered as OTLP says.",
        f"send{signal.capitalize()}",
        {PROTOBUF: _BINARY, JSON: _ANYTHING},
        {
            200: _answer(
                "All were taken, or those that `partialSuccess` does not reject.",
                {JSON: ref("OtlpAnswer"), PROTOBUF: _BINARY},
            ),
            **{status: _answer(text, refusal) for status, text in refusals.items()},
        },
    )


def _whoami() -> Schema:
    refused = {status: _answer(_REFUSALS[status], {JSON: ref("Refusal")}) for status in (401, 403)}
    answers = {200: _answer("What the key stands for.", {JSON: ref("WhoAmI")}), **refused}
    return {
        "summary": "Ask what an API key stands for",
        "description": "Tenants, regions and limits of the key; it needs the scope `read`.",
        "operationId": "whoAmI",
        "responses": _by_status(answers),
    }


def _health(summary: str, name: str, others: dict[int, str] | None = None) -> Schema:
    answers = {200: "Yes."} | (others or {})
    return {
        "summary": summary,
        "operationId": name,
        "security": [],
        "responses": _by_status(
            {status: _answer(text, {JSON: ref("Health")}) for status, text in answers.items()}
        ),
    }


def _open(summary: str, name: str, media: str) -> Schema:
    schema: Schema = {"type": "object"} if media == JSON else {"type": "string"}
    content = {media: schema}
    if name == "metrics":
        content["application/openmetrics-text"] = schema
    return {
        "summary": summary,
        "operationId": name,
        "security": [],
        "responses": _by_status({200: _answer(summary, content)}),
    }


def _posting(
    summary: str,
    description: str,
    name: str,
    bodies: dict[str, Schema],
    answers: dict[int, Schema],
) -> Schema:
    return {
        "summary": summary,
        "description": description,
        "operationId": name,
        "requestBody": {
            "required": True,
            "content": {media: {"schema": schema} for media, schema in bodies.items()},
        },
        "responses": _by_status(answers),
    }


def _answer(description: str, content: dict[str, Schema]) -> Schema:
    answer: Schema = {"description": description}
    if content:
        answer["content"] = {media: {"schema": schema} for media, schema in content.items()}
    return answer


def _by_status(answers: dict[int, Schema]) -> Schema:
    for status in (429, 503):
        if status in answers and answers[status]["description"] in _REFUSALS.values():
            answers[status]["headers"] = {
                "Retry-After": {
                    "description": "Seconds to wait before the same is sent again.",
                    "required": True,
                    "schema": {"type": "string", "pattern": "^[0-9]+$"},
                }
            }
    return {str(int(HTTPStatus(status))): answer for status, answer in sorted(answers.items())}
