"""Whose catalogue says who serves a model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.ingest.providers import (
    catalogue,
    forget,
    provider_and_model_of,
    provider_of,
)
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


@pytest.mark.parametrize(
    ("model", "said", "found"),
    [
        ("Qwen/Qwen3-32B", None, ("unknown", "Qwen/Qwen3-32B")),
        ("Qwen/Qwen3-32B", "vllm", ("vllm", "Qwen/Qwen3-32B")),
        ("accounts/fireworks/models/deepseek-v3", None, ("fireworks_ai", ...)),
        ("openai/gpt-4o", None, ("openai", "gpt-4o")),
        ("openai/gpt-4o", "vllm", ("vllm", "openai/gpt-4o")),
        ("openai/gpt-oss-20b", "openai", ("openai", "openai/gpt-oss-20b")),
        ("azure/gpt-5.6-luna-2026-07-30", None, ("azure.ai.openai", "gpt-5.6-luna")),
        ("us.anthropic.claude-opus-5-5-v1:0", None, ("aws.bedrock", "claude-opus-5.5")),
        ("acme/of-my-own", "acme", ("acme", "of-my-own")),
        ("of-my-own", None, (None, "of-my-own")),
        ("deepseek-ai/DeepSeek-V4-Pro", None, ("unknown", "deepseek-v4-pro")),
        ("anthropic/claude-opus-5.5", "openrouter", ("openrouter", "claude-opus-5.5")),
        ("x" * 5000, None, (None, ...)),
    ],
)
def test_provider_and_model(
    folder: Path, model: str, said: str | None, found: tuple[str | None, object]
) -> None:
    provider, name = provider_and_model_of(model, said)
    assert provider == found[0]
    assert name == (model if found[1] is ... else found[1])
