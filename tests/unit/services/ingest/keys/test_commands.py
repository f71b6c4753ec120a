"""`wattoken keys`, as it is typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.cli import app
from services.platform.errors import ConfigurationError


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WATTOKEN_INGEST_KEYS_FILE", str(tmp_path / "keys.yaml"))
    monkeypatch.setenv("WATTOKEN_INGEST_PEPPER_FILE", str(tmp_path / "pepper"))
    return tmp_path


def keys(*words: str) -> str:
    done = CliRunner().invoke(app, ["keys", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def listed() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(keys("list", "--json"))
    return found


def test_a_key_is_created_bound_to_its_region_and_listed_without_secrets(files: Path) -> None:
    text = keys("create", "--tenant", "acme", "--region", "eu").strip()
    _, key_id, secret = text.split("_", 2)
    (entry,) = listed()
    assert (entry["id"], entry["regions"], entry["state"]) == (key_id, ["eu"], "active")
    assert entry["scopes"] == ["ingest", "read"]
    stored = (files / "keys.yaml").read_text()
    shown = keys("list") + keys("list", "--json")
    assert secret not in stored + shown
    assert "hmac" not in shown


def test_every_option_reaches_the_entry(files: Path) -> None:
    keys(
        *("create", "--tenant", "a", "--tenant", "b", "--region", "eu", "--region", "us"),
        *("--provider", "openai", "--scope", "ingest", "--expires-in-days", "30"),
        *("--events-per-second", "100", "--bytes-per-second", "1e6", "--models-max", "5"),
        *("--regions-max", "6", "--providers-max", "7", "--series-max", "8"),
        *("--note", "n"),
    )
    (entry,) = listed()
    assert (entry["tenant"], entry["tenants"]) == ("a", ["b"])
    assert (entry["regions"], entry["provider"]) == (["eu", "us"], "openai")
    assert (entry["scopes"], entry["state"], entry["note"]) == (["ingest"], "expiring", "n")
    assert entry["limits"] == {
        **{"events_per_second": 100, "bytes_per_second": 1e6},
        **{"models_max": 5, "regions_max": 6, "providers_max": 7},
        "series_max": 8,
    }


def test_any_region_is_said_aloud(files: Path) -> None:
    keys("create", "--tenant", "a", "--region", "eu", "--any-region")
    assert "regions" not in listed()[0]
    assert "eu (any)" in keys("list")


def test_revoke_and_rotate(files: Path) -> None:
    made = json.loads(keys("create", "--tenant", "a", "--region", "eu", "--json"))
    fresh = json.loads(keys("rotate", made["id"], "--grace-hours", "1", "--json"))
    assert fresh["key"] != made["key"]
    assert {entry["id"]: entry["state"] for entry in listed()} == {
        made["id"]: "expiring",
        fresh["id"]: "active",
    }
    keys("revoke", made["id"])
    assert listed()[0]["state"] == "revoked"


@pytest.mark.parametrize(
    "words",
    [
        ("create", "--tenant", "", "--region", "eu"),
        ("create", "--tenant", "a", "--region", "eu", "--scope", "admin"),
        ("list",),
        ("revoke", "zzzz"),
    ],
)
def test_what_cannot_be_done_is_an_error_that_says_so(files: Path, words: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError):
        keys(*words)
