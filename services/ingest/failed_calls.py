"""PURE: what a failed call may name.

Whoever calls a gateway may ask for a model that does not exist; the call fails, and the gateway
reports it under the name that was made up. It counts as a failed request, but such a name must
not become a register for good, nor use up what its key may name.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from schemas.price_class import UNITS
from schemas.wire import PlainEvent
from services.ingest.keys.limits import KeyUse
from services.ingest.providers import PROVIDER_UNKNOWN, in_use

#: Stands for a model that only failed calls name and that is no known one's.
MODEL_UNKNOWN: Final = "unknown"
#: Longest name that is looked at.
_LENGTH_MAX: Final = 128
_PARTS: Final = re.compile(r"[-_./:@]+")
#: What names of models are made of beside words: versions, sizes, dates.
_VERSION: Final = re.compile(
    r"[a-z]?\d{1,2}[a-z]?|\d{3,4}|20\d{4}|20\d{6}|[a-z]?\d{1,3}(x\d{1,2})?[bkm]|fp\d{1,2}"
)
_TRAILING_VERSION: Final = re.compile(r"\d{1,2}$")
_WORDS: Final = frozenset({
    "gpt", "oss", "chatgpt", "claude", "opus", "sonnet", "haiku", "instant", "gemini", "gemma",
    "flash", "lite", "pro", "ultra", "nano", "mini", "micro", "turbo", "max", "plus", "llama",
    "scout", "maverick", "mistral", "mixtral", "ministral", "codestral", "devstral",
    "magistral", "pixtral", "nemo", "deepseek", "prover", "qwen", "qwq", "qvq", "glm", "kimi",
    "moonshot", "grok", "command", "nova", "premier", "titan", "minimax", "phi", "jamba",
    "hunyuan", "mimo", "muse", "spark", "step", "nemotron", "luna", "sonar", "reasoning",
    "reasoner", "thinking", "think", "base", "chat", "instruct", "code", "coder", "codex", "it",
    "hf", "text", "embed", "embedding", "multilingual", "english", "rerank", "ada", "davinci",
    "vision", "vl", "omni", "audio", "image", "realtime", "live", "native", "dialog", "tts",
    "transcribe", "whisper", "moderation", "search", "deep", "research", "computer", "use",
    "preview", "latest", "default", "exp", "experimental", "beta", "fast", "high", "medium",
    "low", "small", "large", "tiny", "xl", "moe", "distill", "awq", "gguf", "int8", "maas",
    "anthropic", "amazon", "meta", "openai", "google", "us", "eu", "apac", "jp", "au", "ca",
    "global", "ai",
})  # fmt: skip


def used_nothing(event: PlainEvent) -> bool:
    """Say whether it is a failed call that used nothing: nothing shows that its names exist."""
    if event.status != "error" or event.input_tokens or event.output_tokens:
        return False
    # A struct of plain events has no such fields.
    return not any([getattr(event, unit, None) for unit in UNITS])


def names_of_failed(
    event: PlainEvent,
    use: KeyUse,
    now: float,
    proven: tuple[Collection[str], Collection[str]] = ((), ()),
) -> tuple[str, str]:
    """Give the provider and the model under which a call that used nothing is counted.

    A name stays if a call that used something proves it, within a day or in this request
    (``proven``: providers, models), or if the catalogue has it. So do some others in a day that
    look like one of the catalogue's models: a call may fail before any succeeds.
    """
    known = in_use()
    provider, model = event.provider, event.model
    if not (provider in use.providers or provider in proven[0] or known.knows_provider(provider)):
        provider = PROVIDER_UNKNOWN
    if not (
        model in use.models
        or model in proven[1]
        or known.knows_model(model)
        or (looks_real(model) and use.failed_models.admit_all((model,), now))
    ):
        model = MODEL_UNKNOWN
    return provider, model


def looks_real(model: str) -> bool:
    """Say whether a name is of a family of the catalogue and has no word that no model has."""
    if len(model) > _LENGTH_MAX or not in_use().has_model_like(model):
        return False
    return all(map(_is_usual, _PARTS.split(model.lower())))


def _is_usual(part: str) -> bool:
    return (
        part in _WORDS
        or _VERSION.fullmatch(part) is not None
        or _TRAILING_VERSION.sub("", part) in _WORDS
    )
