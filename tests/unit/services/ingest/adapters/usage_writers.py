"""How each format writes what a request really used; each token is in exactly one class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.ingest.adapters.totals import Totals

#: The classes of tokens, each number of its own.
CLASSES = ("uncached", "cache_read", "cache_write", "output", "reasoning")
Used = dict[str, int]


def expected(used: Used) -> Totals:
    """What must be metered."""
    return Totals(
        input_tokens=used["uncached"] + used["cache_read"] + used["cache_write"],
        output_tokens=used["output"] + used["reasoning"],
        cache_read_input_tokens=used["cache_read"],
        cache_write_input_tokens=used["cache_write"],
        reasoning_output_tokens=used["reasoning"],
    )


def openai_chat(used: Used) -> dict[str, Any]:
    """Every part inside."""
    whole = expected(used)
    return {
        "prompt_tokens": whole.input_tokens,
        "completion_tokens": whole.output_tokens,
        "total_tokens": whole.input_tokens + whole.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": used["cache_read"],
            "cache_write_tokens": used["cache_write"],
        },
        "completion_tokens_details": {"reasoning_tokens": used["reasoning"]},
    }


def openai_responses(used: Used) -> dict[str, Any]:
    """The same under other names."""
    chat = openai_chat(used)
    return {
        "input_tokens": chat["prompt_tokens"],
        "input_tokens_details": chat["prompt_tokens_details"],
        "output_tokens": chat["completion_tokens"],
        "output_tokens_details": chat["completion_tokens_details"],
        "total_tokens": chat["total_tokens"],
    }


def openai_realtime(used: Used) -> dict[str, Any]:
    """Details in the singular."""
    whole = openai_responses(used)
    whole["input_token_details"] = whole.pop("input_tokens_details")
    whole["output_token_details"] = whole.pop("output_tokens_details")
    return whole


def dashscope(used: Used) -> dict[str, Any]:
    """The totals of the one API, the details of the other, writes by lifetime too."""
    whole = openai_responses(used)
    del whole["input_tokens_details"]
    whole["prompt_tokens_details"] = {
        "cached_tokens": used["cache_read"],
        "cache_creation_input_tokens": used["cache_write"],
        "cache_creation": {"ephemeral_5m_input_tokens": used["cache_write"]},
    }
    return whole


def litellm(used: Used) -> dict[str, Any]:
    """OpenAI's, and Anthropic's names of the caches beside them."""
    return openai_chat(used) | {
        "cache_read_input_tokens": used["cache_read"],
        "cache_creation_input_tokens": used["cache_write"],
    }


def mistral(used: Used) -> dict[str, Any]:
    """OpenAI's, but that some input may be audio, beside the prompt."""
    whole = openai_chat(used)
    audio = used["uncached"] // 2
    whole["prompt_tokens"] -= audio
    whole["prompt_tokens_details"]["audio_tokens"] = audio
    whole["prompt_audio_seconds"] = 1
    return whole


def xai_chat(used: Used) -> dict[str, Any]:
    """Reasoning beside, in the sum."""
    return openai_chat(used) | {"completion_tokens": used["output"]}


def perplexity(used: Used) -> dict[str, Any]:
    """Reasoning beside, and out of the sum."""
    chat = openai_chat(used)
    del chat["completion_tokens_details"]
    return chat | {
        "completion_tokens": used["output"],
        "total_tokens": chat["prompt_tokens"] + used["output"],
        "reasoning_tokens": used["reasoning"],
        "citation_tokens": 7,
    }


def anthropic(used: Used) -> dict[str, Any]:
    """Both caches beside the input."""
    return {
        "input_tokens": used["uncached"],
        "cache_read_input_tokens": used["cache_read"],
        "cache_creation_input_tokens": used["cache_write"],
        "cache_creation": {
            "ephemeral_5m_input_tokens": used["cache_write"] // 3,
            "ephemeral_1h_input_tokens": used["cache_write"] - used["cache_write"] // 3,
        },
        "output_tokens": used["output"] + used["reasoning"],
        "output_tokens_details": {"thinking_tokens": used["reasoning"]},
    }


def bedrock_converse(used: Used) -> dict[str, Any]:
    """Both caches beside the input, no reasoning."""
    whole = expected(used)
    return {
        "inputTokens": used["uncached"],
        "outputTokens": whole.output_tokens,
        "totalTokens": whole.input_tokens + whole.output_tokens,
        "cacheReadInputTokens": used["cache_read"],
        "cacheReadInputTokenCount": used["cache_read"],
        "cacheWriteInputTokens": used["cache_write"],
        "cacheDetails": [{"ttl": "5m", "inputTokens": used["cache_write"]}],
    }


def gemini(used: Used) -> dict[str, Any]:
    """Thoughts beside, in the sum."""
    whole = expected(used)
    return {
        "promptTokenCount": whole.input_tokens,
        "cachedContentTokenCount": used["cache_read"],
        "candidatesTokenCount": used["output"],
        "thoughtsTokenCount": used["reasoning"],
        "totalTokenCount": whole.input_tokens + whole.output_tokens,
    }


def gemini_live(used: Used) -> dict[str, Any]:
    """Thoughts beside, and out of the sum."""
    whole = gemini(used)
    whole["responseTokenCount"] = whole.pop("candidatesTokenCount")
    whole["totalTokenCount"] -= used["reasoning"]
    return whole


def cohere(used: Used) -> dict[str, Any]:
    """What is billed; more was processed."""
    whole = expected(used)
    return {
        "billed_units": {
            "input_tokens": float(whole.input_tokens),
            "output_tokens": float(whole.output_tokens),
        },
        "tokens": {
            "input_tokens": whole.input_tokens + 71,
            "output_tokens": whole.output_tokens + 3,
        },
        "cached_tokens": used["cache_read"],
    }


def ollama(used: Used) -> dict[str, Any]:
    """An answer's last chunk; zeros are left out."""
    whole = expected(used)
    counts = {
        "prompt_eval_count": whole.input_tokens,
        "prompt_eval_cached_count": used["cache_read"],
        "eval_count": whole.output_tokens,
    }
    told = {name: value for name, value in counts.items() if value}
    return {"done": True, "total_duration": 5_000_000, "eval_count": 0} | told


def embeddings(used: Used) -> dict[str, Any]:
    """Input alone."""
    tokens = expected(used).input_tokens
    return {"prompt_tokens": tokens, "total_tokens": tokens}


#: By the name of the format.
WRITERS: dict[str, Callable[[Used], dict[str, Any]]] = {
    writer.__name__: writer
    for writer in (
        *(openai_chat, openai_responses, openai_realtime, xai_chat, anthropic, gemini),
        *(gemini_live, bedrock_converse, cohere, dashscope, embeddings, litellm, mistral),
        *(ollama, perplexity),
    )
}
#: Parts that a format has no name for: they stay unreported.
UNREPORTED: dict[str, tuple[str, ...]] = {
    "gemini": ("cache_write_input_tokens",),
    "gemini_live": ("cache_write_input_tokens",),
    "bedrock_converse": ("reasoning_output_tokens",),
    "cohere": ("cache_write_input_tokens", "reasoning_output_tokens"),
    "ollama": (
        *("cache_read_input_tokens", "cache_write_input_tokens"),
        "reasoning_output_tokens",
    ),
    "embeddings": (
        *("cache_read_input_tokens", "cache_write_input_tokens"),
        *("reasoning_output_tokens", "output_tokens"),
    ),
}
