"""A LiteLLM callback: each call with its caches, reasoning, tier, provider and region.

::

    import litellm
    from wattoken.client import Meter
    from wattoken.client.litellm import WattokenLogger

    litellm.callbacks = [WattokenLogger(Meter.from_env())]

LiteLLM's own `openmeter` callback carries neither caches nor reasoning, has no region, and loses
what it cannot post at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, cast

from litellm.integrations.custom_logger import CustomLogger
from wattoken.client.events import UsageFields, numbers
from wattoken.client.meter import Meter
from wattoken.client.served import PriceFields, beside_usage

#: As LiteLLM's `openmeter` callback names itself, so that a call which both report counts once.
SOURCE: Final = "litellm-proxy"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: Some providers' response ids are short random numbers, and events that share an id count once.
_RESPONSE_ID_LENGTH_MIN: Final = 16
#: Where a deployment's region is, by provider: Bedrock, Vertex AI, and LiteLLM's own setting.
_REGIONS: Final = ("aws_region_name", "vertex_location", "region_name")
#: What a usage object says of how it was served, in words: its only texts that go.
_SERVED_AS: Final = ("service_tier", "speed")


class WattokenLogger(CustomLogger):
    """Records every call of LiteLLM on a meter, sync, async and streaming, failed ones too.

    The region is the deployment's where it names one, else the meter's, else the API key's.
    """

    def __init__(self, meter: Meter, **options: Any) -> None:
        super().__init__(**options)
        self.meter = meter

    # LiteLLM passes these by name.
    def log_success_event(
        self, kwargs: Any, response_obj: object, start_time: object, end_time: object
    ) -> None:
        """Record a finished call."""
        self._record(kwargs)

    def log_failure_event(
        self, kwargs: Any, response_obj: object, start_time: object, end_time: object
    ) -> None:
        """Record a failed call."""
        self._record(kwargs)

    async def async_log_success_event(
        self, kwargs: Any, response_obj: object, start_time: object, end_time: object
    ) -> None:
        """Record a finished call; `Meter.record` does not block, so the loop need not be left."""
        self._record(kwargs)

    async def async_log_failure_event(
        self, kwargs: Any, response_obj: object, start_time: object, end_time: object
    ) -> None:
        """Record a failed call."""
        self._record(kwargs)

    def _record(self, kwargs: Any) -> None:
        fields: UsageFields | None = {"model": "unknown"}
        # What cannot be read is recorded without counts: ingest refuses it, so it is counted.
        with suppress(Exception):
            fields = fields_of(kwargs)
        if fields is not None:
            self.meter.record(**fields)


def fields_of(kwargs: Mapping[str, Any]) -> UsageFields | None:
    """Read a callback's arguments; None for a call that used no tokens of a provider.

    That is an answer from LiteLLM's cache. Nothing is counted here: LiteLLM's usage object goes as
    it is, and ingest reads it as it reads that of LiteLLM's own callbacks.
    """
    payload: Mapping[str, Any] = kwargs["standard_logging_object"]
    if payload.get("cache_hit") is True:
        return None
    provider = payload.get("custom_llm_provider") or None
    fields: dict[str, Any] = {
        "id": _identity(payload),
        "source": SOURCE,
        "time": _EPOCH + timedelta(microseconds=_unix_us(payload["endTime"])),
        "provider": provider,
        "model": str(payload["model"]).removeprefix(f"{provider}/"),
        "region": _region(kwargs),
        # A failed call that says nothing of what it used, used nothing.
        "usage": _usage(payload) or ({} if payload["status"] == "success" else None),
        "usage_format": "litellm",
        **_served(payload),
        "status": "ok" if payload["status"] == "success" else "error",
        "duration_ms": max(0, round((payload["endTime"] - payload["startTime"]) * 1000)),
    }
    return cast(UsageFields, fields)


def _served(payload: Mapping[str, Any]) -> PriceFields:
    """The tier of the answer, else of its usage, else the one that was asked for; and searches."""
    found = beside_usage(payload.get("response"))
    usage = _part(_part(payload, "metadata"), "usage_object")
    told = "service_tier" in found or usage.get("service_tier") or usage.get("speed") == "fast"
    asked = _part(payload, "model_parameters").get("service_tier")
    if not told and isinstance(asked, str):
        found["service_tier"] = asked
    return found


def _identity(payload: Mapping[str, Any]) -> str | None:
    """The same as ingest takes of LiteLLM's payload, so that a call which both report counts once.

    A call's id is shared by its attempts, so those that failed add when they began.
    """
    given, call_id = payload.get("id"), payload.get("litellm_call_id")
    trusted = isinstance(given, str) and len(given) >= _RESPONSE_ID_LENGTH_MIN
    if trusted and given != call_id:
        return cast(str, given)
    if not call_id:
        return None
    if payload["status"] == "failure":
        return f"{call_id}:failure:{_unix_us(payload['startTime'])}"
    return str(call_id)


def _unix_us(seconds: float) -> int:
    """Microseconds since 1970 of seconds as they are written, cut off and not rounded."""
    return int(Decimal(repr(seconds)) * 1_000_000 // 1)


def _region(kwargs: Mapping[str, Any]) -> str | None:
    for place in ("litellm_params", "optional_params"):
        settings = _part(kwargs, place)
        for name in _REGIONS:
            if isinstance(settings.get(name), str) and settings[name]:
                return cast(str, settings[name])
    return None


def _part(mapping: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = mapping.get(name)
    return value if isinstance(value, Mapping) else {}


def _usage(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Take the counts and how it was served out of the usage object, with the payload's totals."""
    told = _part(_part(payload, "metadata"), "usage_object")
    usage = numbers(told)
    for name in _SERVED_AS:
        if isinstance(told.get(name), str):
            usage[name] = told[name]
    for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
        if payload.get(name) is not None:
            usage[name] = payload[name]
    return usage
