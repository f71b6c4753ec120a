"""How each format writes what a request really used; each token is in exactly one class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.ingest.adapters.totals import Totals

#: The classes of tokens that prices know, each number of its own. Audio and images are those that
#: were not read from a cache.
CLASSES = (
    *("uncached", "cache_read", "cache_write", "cache_write_5m", "cache_write_1h"),
    *("audio", "image", "cached_audio", "cached_image"),
    *("output", "reasoning", "audio_output", "image_output"),
)
Used = dict[str, int]
_LIFETIMES = ("cache_write_5m", "cache_write_1h")
_KINDS = ("audio", "image", "cached_audio", "cached_image", "audio_output", "image_output")


def expected(used: Used) -> Totals:
    """What must be metered."""
    cached = used["cache_read"] + used["cached_audio"] + used["cached_image"]
    written = used["cache_write"] + used["cache_write_5m"] + used["cache_write_1h"]
    return Totals(
        input_tokens=used["uncached"] + cached + written + used["audio"] + used["image"],
        output_tokens=used["output"]
        + used["reasoning"]
        + used["audio_output"]
        + used["image_output"],
        cache_read_input_tokens=cached,
        cache_write_input_tokens=written,
        reasoning_output_tokens=used["reasoning"],
        parts={
            "cache_write_5m_input_tokens": used["cache_write_5m"],
            "cache_write_1h_input_tokens": used["cache_write_1h"],
            "audio_input_tokens": used["audio"] + used["cached_audio"],
            "image_input_tokens": used["image"] + used["cached_image"],
            "cache_read_audio_input_tokens": used["cached_audio"],
            "cache_read_image_input_tokens": used["cached_image"],
            "audio_output_tokens": used["audio_output"],
            "image_output_tokens": used["image_output"],
        },
    )


def lifetimes(used: Used) -> dict[str, Any]:
    """As Anthropic breaks down what was written; some of it for as long as nobody knows."""
    return {
        "ephemeral_5m_input_tokens": used["cache_write_5m"],
        "ephemeral_1h_input_tokens": used["cache_write_1h"],
        "ephemeral_24h_input_tokens": used["cache_write"],
    }


def openai_chat(used: Used) -> dict[str, Any]:
    """Every part inside."""
    whole = expected(used)
    return {
        "prompt_tokens": whole.input_tokens,
        "completion_tokens": whole.output_tokens,
        "total_tokens": whole.input_tokens + whole.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": whole.cache_read_input_tokens,
            "cache_write_tokens": whole.cache_write_input_tokens,
            "cache_creation_token_details": lifetimes(used),
            "audio_tokens": whole.parts["audio_input_tokens"],
            "image_tokens": whole.parts["image_input_tokens"],
            "cached_tokens_details": {
                "text_tokens": used["cache_read"],
                "audio_tokens": used["cached_audio"],
                "image_tokens": used["cached_image"],
            },
        },
        "completion_tokens_details": {
            "reasoning_tokens": used["reasoning"],
            "audio_tokens": used["audio_output"],
            "image_tokens": used["image_output"],
        },
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
    details = whole.pop("input_tokens_details")
    details["cache_creation_input_tokens"] = details.pop("cache_write_tokens")
    details["cache_creation"] = details.pop("cache_creation_token_details")
    return whole | {"prompt_tokens_details": details}


def litellm(used: Used) -> dict[str, Any]:
    """OpenAI's, and Anthropic's names of the caches beside them."""
    whole = expected(used)
    return openai_chat(used) | {
        "cache_read_input_tokens": whole.cache_read_input_tokens,
        "cache_creation_input_tokens": whole.cache_write_input_tokens,
    }


def mistral(used: Used) -> dict[str, Any]:
    """OpenAI's, but that audio is beside the prompt."""
    whole = openai_chat(used)
    whole["prompt_tokens"] -= used["audio"]
    whole["prompt_tokens_details"]["audio_tokens"] = used["audio"]
    whole["prompt_audio_seconds"] = 1
    return whole


def xai_chat(used: Used) -> dict[str, Any]:
    """Reasoning beside, in the sum."""
    chat = openai_chat(used)
    return chat | {"completion_tokens": chat["completion_tokens"] - used["reasoning"]}


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
    whole = expected(used)
    return {
        "input_tokens": used["uncached"],
        "cache_read_input_tokens": used["cache_read"],
        "cache_creation_input_tokens": whole.cache_write_input_tokens,
        "cache_creation": lifetimes(used),
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
        "cacheWriteInputTokens": whole.cache_write_input_tokens,
        "cacheDetails": [
            {"ttl": "1h", "inputTokens": used["cache_write_1h"]},
            {"ttl": "5m", "inputTokens": used["cache_write_5m"]},
        ],
    }


def gemini(used: Used) -> dict[str, Any]:
    """Thoughts beside, in the sum; kinds in lists, where a document is images."""
    whole = expected(used)
    return {
        "promptTokenCount": whole.input_tokens,
        "cachedContentTokenCount": whole.cache_read_input_tokens,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": used["uncached"] + used["cache_read"]},
            {"modality": "AUDIO", "tokenCount": used["audio"] + used["cached_audio"]},
            {"modality": "IMAGE", "tokenCount": used["image"]},
            {"modality": "DOCUMENT", "tokenCount": used["cached_image"]},
        ],
        "cacheTokensDetails": [
            {"modality": "TEXT", "tokenCount": used["cache_read"]},
            {"modality": "AUDIO", "tokenCount": used["cached_audio"]},
            {"modality": "DOCUMENT", "tokenCount": used["cached_image"]},
        ],
        "candidatesTokenCount": whole.output_tokens - used["reasoning"],
        "candidatesTokensDetails": [
            {"modality": "AUDIO", "tokenCount": used["audio_output"]},
            {"modality": "IMAGE", "tokenCount": used["image_output"]},
        ],
        "thoughtsTokenCount": used["reasoning"],
        "totalTokenCount": whole.input_tokens + whole.output_tokens,
    }


def gemini_live(used: Used) -> dict[str, Any]:
    """Thoughts beside, and out of the sum."""
    whole = gemini(used)
    whole["responseTokenCount"] = whole.pop("candidatesTokenCount")
    whole["responseTokensDetails"] = whole.pop("candidatesTokensDetails")
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
#: Classes beyond text and caches that a format has names for: in the others there are none of them.
TOLD: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("openai_chat", "openai_responses", "openai_realtime", "xai_chat", "dashscope", "litellm"),
        (*_LIFETIMES, *_KINDS),
    ),
    **dict.fromkeys(("gemini", "gemini_live"), _KINDS),
    **dict.fromkeys(("anthropic", "bedrock_converse"), _LIFETIMES),
    "mistral": ("audio",),
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


def as_told(name: str, used: Used) -> Used:
    """What a request used that the format can tell all about."""
    beyond = {*_LIFETIMES, *_KINDS} - {*TOLD.get(name, ())}
    untold = beyond | ({"cache_write"} if name.startswith("gemini") else set())
    return {one: 0 if one in untold else count for one, count in used.items()}
