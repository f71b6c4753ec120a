"""The type of a body chooses its reader; what is not spoken is told with what is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.ingest import formats
from services.ingest.batches import BatchLimits
from services.ingest.errors import UnsupportedError

LIMITS = BatchLimits(events_max=5, event_bytes_max=1000)
NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
BINARY = {"ce-specversion": "1.0"}


@pytest.mark.parametrize(
    ("choose", "media"),
    [
        (formats.native, "application/json"),
        (formats.native, "application/x-ndjson"),
        (formats.native, "Application/CloudEvents+JSON; charset=utf-8"),
        (formats.native, "application/cloudevents-batch+json"),
        (formats.openmeter, "application/json"),
        (formats.litellm, "application/x-ndjson"),
        (formats.otlp_of("traces"), "application/x-protobuf"),
        (formats.otlp_of("logs"), "application/json"),
    ],
)
def test_what_is_spoken(choose: formats.ReaderFor, media: str) -> None:
    assert callable(choose({"content-type": media}, NOW, LIMITS))


@pytest.mark.parametrize(
    ("choose", "media", "use"),
    [
        (formats.native, "text/plain", formats.NATIVE_TYPES),
        (formats.openmeter, "application/x-ndjson", formats.OPENMETER_TYPES),
        (formats.litellm, "application/x-protobuf", formats.LITELLM_TYPES),
        (formats.otlp_of("traces"), "application/x-ndjson", formats.OTLP_TYPES),
        (formats.otlp_of("logs"), "application/grpc", formats.OTLP_TYPES),
    ],
)
def test_what_is_not(choose: formats.ReaderFor, media: str, use: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        choose({"content-type": media}, NOW, LIMITS)
    assert media in caught.value.message and use in caught.value.message
    with pytest.raises(UnsupportedError, match="no Content-Type given"):
        choose({}, NOW, LIMITS)


@pytest.mark.parametrize("choose", [formats.native, formats.openmeter])
def test_binary_mode_is_told_by_its_headers(choose: formats.ReaderFor) -> None:
    for media in ("application/json", "application/vnd.usage+json"):
        assert callable(choose(BINARY | {"content-type": media}, NOW, LIMITS))
    assert callable(choose(BINARY, NOW, LIMITS))
    with pytest.raises(UnsupportedError, match="binary mode"):
        choose(BINARY | {"content-type": "text/plain"}, NOW, LIMITS)
