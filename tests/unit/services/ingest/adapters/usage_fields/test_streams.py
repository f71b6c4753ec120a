"""Corners of merging that random streams seldom find."""

from __future__ import annotations

from typing import Any

import pytest

from services.ingest.adapters import provider_usage
from services.ingest.errors import EventRejectedError


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


def written(five_minutes: int, hour: int) -> dict[str, Any]:
    """The first event of a stream that wrote so much to a cache."""
    return {
        "input_tokens": 1,
        "output_tokens": 1,
        "cache_creation_input_tokens": five_minutes + hour,
        "cache_creation": {
            "ephemeral_5m_input_tokens": five_minutes,
            "ephemeral_1h_input_tokens": hour,
        },
    }


AUDIO = {"prompt_tokens_details": {"audio_tokens": 90}}


@pytest.mark.parametrize(
    ("usage_format", "chunks", "parts"),
    [
        # What came to it later is of a lifetime that nothing tells.
        (
            "anthropic",
            [written(20, 5), {"output_tokens": 9, "cache_creation_input_tokens": 40}],
            {"cache_write_5m_input_tokens": 20, "cache_write_1h_input_tokens": 5},
        ),
        # None of nothing is not none of what came to it.
        (
            "anthropic",
            [written(0, 0), {"output_tokens": 9, "cache_creation_input_tokens": 40}],
            {},
        ),
        # But none of what is told again is.
        (
            "anthropic",
            [written(0, 0), {"output_tokens": 9, "cache_creation_input_tokens": 0}],
            {"cache_write_5m_input_tokens": 0, "cache_write_1h_input_tokens": 0},
        ),
        # Details of an estimate that was corrected since are no contradiction.
        (
            "openai_chat",
            [
                {"prompt_tokens": 100, "completion_tokens": 1} | AUDIO,
                {"prompt_tokens": 60, "completion_tokens": 9},
            ],
            {},
        ),
        (
            "openai_chat",
            [
                {"prompt_tokens": 100, "completion_tokens": 1} | AUDIO,
                {"prompt_tokens": 95, "completion_tokens": 9},
            ],
            {"audio_input_tokens": 90},
        ),
    ],
)
def test_details_of_an_earlier_total(
    usage_format: str, chunks: list[dict[str, Any]], parts: dict[str, int]
) -> None:
    assert provider_usage.read(chunks, usage_format).parts == parts


def test_details_above_their_own_total_are_a_contradiction_in_a_stream_too() -> None:
    chunks = [
        {"prompt_tokens": 100, "completion_tokens": 1},
        {"prompt_tokens": 60, "completion_tokens": 9} | AUDIO,
    ]
    with pytest.raises(EventRejectedError, match="audio_input_tokens are 90"):
        provider_usage.read(chunks, "openai_chat")


def test_the_latest_tier_stands() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 1}
    tiers = ["flex", "auto", "priority", None, "new"]
    chunks = [usage | {"service_tier": tier} for tier in tiers]
    assert provider_usage.read(chunks, "openai_chat").service_tier == "priority"


def test_searches_are_cumulative() -> None:
    usage = {"input_tokens": 1, "output_tokens": 1}
    chunks = [usage | {"server_tool_use": {"web_search_requests": n}} for n in (1, 3, 0)]
    assert provider_usage.read(chunks, "anthropic").units == {"web_searches": 3}
