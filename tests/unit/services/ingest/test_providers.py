"""Whose catalogue says who serves a model."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.catalogue import load_catalogue
from services.ingest import providers
from services.ingest.providers import Providers, provider_and_model_of

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


def test_a_catalogue_of_ones_own_names_the_provider(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text(MODELS)
    own = Providers(load_catalogue(tmp_path))
    assert own.provider_of("house-1") == "house"
    assert own.provider_of("gpt-5.6-luna") is None


def test_without_one_the_shipped_catalogue_does() -> None:
    shipped = Providers(load_catalogue())
    assert shipped.provider_of("gpt-5.6-luna") == "openai"
    assert shipped.provider_of("nobody-knows-this") is None


def test_readers_ask_the_catalogue_that_was_handed_over(tmp_path: Path) -> None:
    assert provider_and_model_of("house-1", None) == (None, "house-1")
    (tmp_path / "models.yaml").write_text(MODELS)
    providers.use(load_catalogue(tmp_path))
    try:
        assert provider_and_model_of("house-1", None) == ("house", "house-1")
    finally:
        providers.use(load_catalogue())


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
def test_provider_and_model(model: str, said: str | None, found: tuple[str | None, object]) -> None:
    provider, name = provider_and_model_of(model, said)
    assert provider == found[0]
    assert name == (model if found[1] is ... else found[1])
