"""Settings: each says what it is, and impossible ones are refused by name."""

from __future__ import annotations

import pytest

from services.ingest.settings import MIB, IngestSettings
from services.platform.errors import ConfigurationError
from services.platform.settings import read_settings


def test_every_setting_is_described() -> None:
    assert all(field.description for field in IngestSettings.model_fields.values())


def test_limits_are_those_of_the_contract() -> None:
    settings = IngestSettings()
    assert settings.ingest_wire_bytes_max == 8 * MIB
    assert settings.ingest_body_bytes_max == 32 * MIB
    assert settings.ingest_events_max == 10_000
    assert settings.ingest_event_bytes_max == 1_000_000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WATTOKEN_INGEST_PORT", "0"),
        ("WATTOKEN_INGEST_WIRE_BYTES_MAX", "0"),
        ("WATTOKEN_INGEST_EVENT_BYTES_MAX", "1000001"),
        ("WATTOKEN_INGEST_COMPRESSION", "zip"),
    ],
)
def test_an_impossible_value_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name):
        read_settings(IngestSettings)
