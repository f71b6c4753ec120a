"""One provider has one name, a priced model its own, and nothing becomes what nobody knows."""

from __future__ import annotations

import pytest

from schemas.catalogue import load_catalogue
from schemas.catalogue.names import Names

NAMES = Names(load_catalogue())
OWN_PROFILE = "arn:aws:bedrock:us-east-1:1:application-inference-profile/x"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("openai", "openai"),
        ("OpenAI", "openai"),
        ("openai.chat", "openai"),
        ("openai.responses", "openai"),
        ("anthropic.messages", "anthropic"),
        ("google.generative-ai", "gcp.gemini"),
        ("google.vertex.chat", "gcp.vertex_ai"),
        ("gemini", "gcp.gemini"),
        ("vertex_ai", "gcp.vertex_ai"),
        ("az.ai.openai", "azure.ai.openai"),
        ("azure", "azure.ai.openai"),
        ("azure_ai", "azure.ai.inference"),
        ("bedrock", "aws.bedrock"),
        ("amazon-bedrock", "aws.bedrock"),
        ("AWS", "aws.bedrock"),
        ("xai", "x_ai"),
        ("xai.chat", "x_ai"),
        ("mistral", "mistral_ai"),
        ("zai", "z.ai"),
        ("dashscope", "qwen"),
        ("cohere_chat", "cohere"),
        ("hosted_vllm", "vllm"),
        ("fireworks", "fireworks_ai"),
        ("acme", "acme"),
        ("Acme.chat", "Acme.chat"),
        ("", ""),
    ],
)
def test_provider(name: str, found: str) -> None:
    assert NAMES.provider(name) == found
    assert NAMES.provider(found) == found


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("claude-opus-5.5", "claude-opus-5.5"),
        ("claude-opus-5-5", "claude-opus-5.5"),
        ("claude-opus-5-5-20261001", "claude-opus-5.5"),
        ("claude-opus-5-5@20261001", "claude-opus-5.5"),
        ("anthropic.claude-opus-5-5-20261001-v1:0", "claude-opus-5.5"),
        ("us.anthropic.claude-opus-5-5-20261001-v1:0", "claude-opus-5.5"),
        ("global.anthropic.claude-opus-5-5", "claude-opus-5.5"),
        (
            "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/"
            "eu.anthropic.claude-opus-5-5-v1:0",
            "claude-opus-5.5",
        ),
        ("publishers/anthropic/models/claude-opus-5-5", "claude-opus-5.5"),
        ("models/gemini-3.1-pro", "gemini-3.1-pro"),
        ("gemini-3.1-pro-preview", "gemini-3.1-pro"),
        ("gemini-3.1-pro-preview-09-2026", "gemini-3.1-pro"),
        ("GPT-5.6-Luna", "gpt-5.6-luna"),
        ("gpt-5.6-luna-2026-07-30", "gpt-5.6-luna"),
        ("grok-4.7-latest", "grok-4.7"),
        ("x-ai/grok-4.7", "grok-4.7"),
        ("us-east-1/anthropic.claude-opus-5-5-v1:0", "claude-opus-5.5"),
        ("converse/us.anthropic.claude-opus-5-5-v1:0", "claude-opus-5.5"),
        ("global/gpt-5.6-luna", "gpt-5.6-luna"),
        ("someone/grok-4.7", "someone/grok-4.7"),
        ("meta-llama/Llama-3.3-70B", "meta-llama/Llama-3.3-70B"),
        ("command-a-03-2025", "command-a"),
        # Nothing that is known is left of these.
        ("gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
        ("claude-opus-5.5-mini", "claude-opus-5.5-mini"),
        ("us.anthropic.claude-haiku-9-v1:0", "us.anthropic.claude-haiku-9-v1:0"),
        (OWN_PROFILE, OWN_PROFILE),
        ("Qwen/Qwen3-32B", "Qwen/Qwen3-32B"),
        ("", ""),
        ("-latest", "-latest"),
    ],
)
def test_model(name: str, found: str) -> None:
    assert NAMES.model(name) == found


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("openai/gpt-4o", ("openai", "gpt-4o")),
        ("azure/gpt-4o", ("azure.ai.openai", "gpt-4o")),
        ("openrouter/qwen/qwen3-32b", ("openrouter", "qwen/qwen3-32b")),
        ("groq/openai/gpt-oss-120b", ("groq", "openai/gpt-oss-120b")),
        ("Qwen/Qwen3-32B", None),
        ("qwen/qwen3-32b", None),
        ("openai/gpt-oss-20b", None),
        ("meta-llama/Llama-3.3-70B", None),
        ("accounts/fireworks/models/deepseek-v3", None),
        ("openai/", None),
        ("/gpt-4o", None),
        ("gpt-4o", None),
    ],
)
def test_route(name: str, split: tuple[str, str] | None) -> None:
    assert NAMES.route(name) == split


def test_every_priced_model_is_its_own_name() -> None:
    catalogue = load_catalogue()
    for entry in catalogue.models.models:
        for name in entry.names:
            assert NAMES.model(name) == name
    for entry in catalogue.models.models:
        assert NAMES.provider(entry.provider) == entry.provider
