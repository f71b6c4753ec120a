"""PURE: the bodies of requests and answers as JSON Schema; events come from `UsageEvent`."""

from __future__ import annotations

from typing import Any, Final

from schemas.price_class import SERVICE_TIERS
from schemas.usage_event import UsageEvent
from services.ingest.adapters.provider_usage import FORMATS
from services.ingest.errors import EVENT_CODES, RequestError
from services.ingest.keys.entry import SCOPES

Schema = dict[str, Any]

#: What an event may leave to its API key.
FROM_THE_KEY: Final = ("tenant", "region", "provider")


def ref(name: str) -> Schema:
    """Point to one of `components`."""
    return {"$ref": f"#/components/schemas/{name}"}


def components() -> dict[str, Schema]:
    """Every schema that the document names."""
    text, count = {"type": "string"}, {"type": "integer", "minimum": 0}
    rejections = _list(ref("Rejection"))
    return {
        "Event": _event(),
        "CloudEvent": _cloud_event(),
        "Accepted": _object({"accepted": count, "skipped": count}, optional=("skipped",)),
        "SomeRejected": _object(
            {"accepted": count, "skipped": count, "rejected": rejections}, optional=("skipped",)
        ),
        "Rejection": _object(
            {"index": count, "code": {"enum": sorted(EVENT_CODES)}, "message": text}
        ),
        "Refusal": _object(
            {"error": _object({"code": {"enum": _request_codes()}, "message": text})}
        ),
        "Problem": _object(
            {
                **{"type": text, "title": text, "status": {"type": "integer"}, "detail": text},
                "extensions": _object(
                    {"code": {"enum": _request_codes()}, "validationErrors": rejections},
                    optional=("code", "validationErrors"),
                ),
            }
        ),
        "OtlpAnswer": {
            "type": "object",
            "properties": {
                "partialSuccess": {
                    "type": "object",
                    "properties": {
                        **{"rejectedSpans": text, "rejectedLogRecords": text},
                        "errorMessage": text,
                    },
                    "additionalProperties": False,
                }
            },
            "additionalProperties": False,
        },
        "OtlpStatus": _object({"code": {"type": "integer"}, "message": text}),
        "WhoAmI": _whoami(),
        "Health": _object({"status": text, "message": text}, optional=("message",)),
    }


def _event() -> Schema:
    """The event as a gateway may send it: what its key says is optional, and so are the totals.

    The totals are because `usage` may give them, as the provider worded them; so may the tier be.
    """
    schema: Schema = UsageEvent.model_json_schema()
    for name in FROM_THE_KEY:
        schema["properties"][name]["description"] += " Left out: the API key's."
    optional = {*FROM_THE_KEY, "input_tokens", "output_tokens"}
    schema["required"] = [name for name in schema["required"] if name not in optional]
    tier = schema["properties"]["service_tier"]
    tier["anyOf"] = [{"type": "string"}, {"type": "null"}]
    tier["description"] += (
        f" One of {', '.join(SERVICE_TIERS)}; beside `usage` the provider's word."
    )
    schema["properties"]["usage"] = {
        "anyOf": [
            {"type": "object"},
            {"type": "array", "items": {"type": ["object", "null"]}, "minItems": 1},
        ],
        "description": "The provider's usage object as it is, instead of the token counts; or all"
        " those of one stream, in the order they came. Tier and units may stand beside it.",
    }
    schema["properties"]["usage_format"] = {
        "enum": sorted(FORMATS),
        "description": "Whose usage object `usage` is; `wattoken gateways fields` lists what is"
        " read of each.",
    }
    schema["description"] = "One LLM request, or a later adjustment of one."
    return schema


def _cloud_event() -> Schema:
    text = {"type": "string", "minLength": 1}
    return {
        "type": "object",
        "description": (
            "A CloudEvent 1.0: of LiteLLM's `openmeter` callback, or of OpenMeter's clients."
        ),
        "required": ["specversion", "id", "source", "type", "data"],
        "properties": {
            **{"specversion": {"const": "1.0"}, "id": text, "source": text, "type": text},
            **{"subject": text, "time": {"type": "string", "format": "date-time"}},
            "data": {"type": "object"},
        },
    }


def _whoami() -> Schema:
    text, count = {"type": "string"}, {"type": "integer", "minimum": 0}
    rate = {"type": ["number", "null"]}
    names = ("models", "regions", "providers", "series")
    return _object(
        {
            **{"id": text, "tenant": text, "tenants": _list(text), "region": text},
            "regions": {
                "type": ["array", "null"],
                "items": text,
                "description": "The regions that an event may name; null for any.",
            },
            "provider": {"type": ["string", "null"]},
            "scopes": _list({"enum": [*SCOPES]}),
            "expires_at": {"type": ["string", "null"], "format": "date-time"},
            "limits": _object(
                {
                    **{"events_per_second": rate, "bytes_per_second": rate},
                    **{f"{name}_max": count for name in names},
                }
            ),
            "named_today": _object(dict.fromkeys(names, count)),
        }
    )


def _object(properties: dict[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _request_codes() -> list[str]:
    return sorted(kind.code for kind in RequestError.__subclasses__())
