"""The committed settings page is what the classes say, and says all of it."""

from __future__ import annotations

import pytest
from pydantic import Field

from services import settings_reference
from services.platform.settings import Settings
from services.settings_reference import SECTIONS, SETTINGS_PATH, render


def test_committed_page_is_the_generated_one() -> None:
    assert SETTINGS_PATH.read_text(encoding="utf-8") == render(), "run `make docs`"


def test_every_setting_of_every_service_is_named_once() -> None:
    page = render()
    for _, cls, _ in SECTIONS:
        prefix = cls.model_config.get("env_prefix") or ""
        for name in cls.model_fields:
            assert page.count(f"| `{prefix}{name}`".upper() + " |") == 1, name


def test_a_setting_reads_as_type_limit_default_and_meaning() -> None:
    page = render()
    assert (
        "| `WATTOKEN_AGGREGATOR_SESSION_TIMEOUT_SECONDS` | number, at least 6 | `30.0` |"
        " Silence after which Kafka gives the partitions to others. |"
    ) in page
    assert "| `WATTOKEN_LOG_FORMAT` | `json`, `console` | `json` |" in page
    assert "| `WATTOKEN_CLICKHOUSE_PASSWORD_FILE` | path | not set |" in page


def test_a_setting_without_a_description_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(Settings):
        silent_seconds: float = Field(default=1.0)

    monkeypatch.setattr(settings_reference, "SECTIONS", (("Silent", Silent, ""),))
    with pytest.raises(ValueError, match=r"Silent\.silent_seconds has no description"):
        render()
