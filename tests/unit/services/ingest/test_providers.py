"""Whose catalogue says who serves a model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.ingest.providers import catalogue, provider_of
from services.platform.errors import ConfigurationError

MODELS = """version: "1"
models:
  - patterns: ["house-*"]
    names: [house-1]
    priority: 300
    author: House
    origin: DE
    license: proprietary
    provider: house
    source: https://example.com
    source_date: 2026-11-22
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("WATTOKEN_CATALOGUE_DIR", str(tmp_path))
    forget()
    yield tmp_path
    forget()


def forget() -> None:
    catalogue.cache_clear()
    provider_of.cache_clear()


def test_a_catalogue_of_ones_own_names_the_provider(folder: Path) -> None:
    (folder / "models.yaml").write_text(MODELS)
    assert provider_of("house-1") == "house"
    assert provider_of("gpt-5.6-luna") is None


def test_without_one_the_shipped_catalogue_does(folder: Path) -> None:
    assert provider_of("gpt-5.6-luna") == "openai"
    assert provider_of("nobody-knows-this") is None


def test_wrong_files_are_told(folder: Path) -> None:
    (folder / "models.yaml").write_text("models: 7")
    with pytest.raises(ConfigurationError, match=r"models\.yaml"):
        catalogue()
