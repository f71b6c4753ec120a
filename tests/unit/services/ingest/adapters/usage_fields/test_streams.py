"""Corners of merging that random streams seldom find."""

from __future__ import annotations

from typing import Any

import pytest

from services.ingest.adapters import provider_usage


@pytest.mark.parametrize(
    ("usage_format", "chunks", "counts"),
    [
        # Zeros at the end are no sum of an answer of thoughts alone.
        (
            "gemini",
            [
                {"promptTokenCount": 0, "candidatesTokenCount": 0, "thoughtsTokenCount": 1}
                | {"totalTokenCount": 1},
                {"promptTokenCount": 0, "candidatesTokenCount": 0, "totalTokenCount": 0},
            ],
            (0, 1),
        ),
        ("openai_chat", [{"prompt_tokens": 0, "completion_tokens": 0}, {}], (0, 0)),
        # A sum is that of its own chunk.
        (
            "openai_chat",
            [
                {"prompt_tokens": 7, "completion_tokens": 1, "total_tokens": 8},
                {"completion_tokens": 5, "total_tokens": 5},
            ],
            (7, 5),
        ),
        (
            "openai_chat",
            [{"prompt_tokens": 7, "total_tokens": 7}, {"completion_tokens": 0}],
            (7, 0),
        ),
        (
            "anthropic",
            [
                {"input_tokens": 20000, "output_tokens": 0},
                {"input_tokens": 0, "cache_read_input_tokens": 20000, "output_tokens": 1},
                {"input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 9},
            ],
            (20000, 9),
        ),
        (
            "anthropic",
            [
                {"input_tokens": 50, "cache_read_input_tokens": 1800, "output_tokens": 1},
                {"input_tokens": 60, "cache_read_input_tokens": 0, "output_tokens": 9},
            ],
            (1860, 9),
        ),
    ],
)
def test_corner(usage_format: str, chunks: list[dict[str, Any]], counts: tuple[int, int]) -> None:
    totals = provider_usage.read(chunks, usage_format)
    assert (totals.input_tokens, totals.output_tokens) == counts


def test_hits_of_an_earlier_chunk_are_not_held_against_later_misses() -> None:
    chunks = [
        {"prompt_tokens": 100, "completion_tokens": 1, "prompt_cache_hit_tokens": 64}
        | {"prompt_cache_miss_tokens": 36},
        {"prompt_tokens": 100, "completion_tokens": 9},
    ]
    totals = provider_usage.read(chunks, "openai_chat")
    assert (totals.output_tokens, totals.cache_read_input_tokens) == (9, 64)
