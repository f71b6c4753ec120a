"""PURE: reads a kept rejection again, as ingest would read it now."""

from __future__ import annotations

from typing import Final

from services.ingest.batches import Batch, BatchLimits, cloud_events, native_json
from services.ingest.errors import RequestError
from services.ingest.gateway_batches import envoy_events, litellm_payloads, otlp, portkey_logs
from services.ingest.keys.entry import KeyEntry
from services.ingest.keys.key import Key
from services.ingest.keys.limits import NO_LIMITS, KeyUse
from services.ingest.records import Record
from services.ingest.rejections.record import KeptRejection
from services.ingest.rejections.redaction import REDACTED
from services.ingest.times import TimeLimits

EVENTS_MAX: Final = 10_000
EVENT_BYTES_MAX: Final = 1_000_000


def record_again(
    what: KeptRejection, entry: KeyEntry, times: TimeLimits
) -> tuple[Record | None, str]:
    """Give the record to put onto the log, or None and why there is none.

    ``entry`` is what its key stands for now. Limits on names do not hold here: whoever requeues
    has decided that.
    """
    if what.payload is None:
        return None, "nothing of it could be kept"
    if what.cut:
        return None, "its payload was cut"
    if what.index is None:
        return None, "it is a whole request, which its sender has to send again"
    limits = BatchLimits(EVENTS_MAX, EVENT_BYTES_MAX, times)
    try:
        batch = _read(what, what.payload.encode(), Key(entry, KeyUse(NO_LIMITS, 0.0)), limits)
    except RequestError as error:
        return None, f"it is still no valid event: {error.message}"
    if batch.rejections:
        return None, f"it is still refused: {batch.rejections[0]['message']}"
    if len(batch.records) != 1:
        return None, "it is no use of a model"
    record = batch.records[0]
    if REDACTED.encode() in record["value"]:
        return None, "what would be metered was redacted: its sender has to send it again"
    return record, ""


def _read(what: KeptRejection, payload: bytes, key: Key, limits: BatchLimits) -> Batch:
    # By the time at which it was refused, so that doing it twice gives the same event.
    received = what.refused_at
    match what.format:
        case "native":
            return native_json(payload, key, limits)
        case "cloudevents":
            return cloud_events(payload, key, received, limits, batch=None)
        case "litellm":
            return litellm_payloads(payload, key, limits)
        case "envoy":
            return envoy_events(payload, key, limits)
        case "portkey":
            return portkey_logs(payload, key, received, limits)
        case "otlp_traces":
            return otlp(payload, key, received, limits, "traces", json=True)
        case "otlp_logs":
            return otlp(payload, key, received, limits, "logs", json=True)
