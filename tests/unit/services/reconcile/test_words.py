"""Words of exports, as providers and clouds write them."""

from __future__ import annotations

import pytest

from services.reconcile.words import class_of_text, tier_of_text


@pytest.mark.parametrize(
    ("text", "billed_as"),
    [
        ("input", "uncached_input"),
        ("cached input", "cache_read"),
        ("output", "output"),
        ("cache writes", "cache_write"),
        ("audio input", "audio_input"),
        ("audio cached input", "cache_read_audio"),
        ("image output", "image_output"),
        ("Claude Opus 5.5 Usage - Input Tokens, Cache Write, 1h", "cache_write_1h"),
        ("Cache Write 5 min Input Tokens", "cache_write_5m"),
        ("Cache Read Input Tokens", "cache_read"),
        ("cache_creation_input_tokens", "cache_write"),
        ("InputTokenCount", "uncached_input"),
        ("cacheReadInputTokenCount", "cache_read"),
        ("cacheWriteInputTokenCount", "cache_write"),
        ("Gemini thinking output", "reasoning"),
        ("prompt tokens", "uncached_input"),
        ("completion tokens", "output"),
        ("Context Cache Storage, token-hours of input", None),
        ("Vector storage", None),
        ("m7i.large instance hours", None),
    ],
)
def test_a_description_names_its_class(text: str, billed_as: str | None) -> None:
    assert class_of_text(text) == billed_as


@pytest.mark.parametrize(
    ("text", "tier"),
    [
        ("Batch Input Tokens", "batch"),
        ("gpt-5.6-luna, output, priority", "priority"),
        ("Provisioned throughput input tokens", "reserved"),
        ("Scale Tier input tokens", "scale"),
        ("gpt-batchless input", ""),
    ],
)
def test_a_description_names_its_tier(text: str, tier: str) -> None:
    assert tier_of_text(text) == tier
