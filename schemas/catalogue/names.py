"""PURE: the one name of a provider and of a model, of the many under which they are reported.

A provider's name becomes another only if the catalogue says so. A model's name becomes another
only if that one is known, which is to say in `names` of the catalogue or with a price of its own:
what is left after a date, a cloud's prefix and the like is never a new name.
"""

from __future__ import annotations

import re
from typing import Final

from schemas.catalogue.catalogue import Catalogue
from schemas.catalogue.entries import ProviderEntry
from schemas.catalogue.globs import ANY, matches

#: A kind of API, as the AI SDK writes it behind a provider: `openai.chat`.
_API: Final = re.compile(
    r"\.(chat|responses|completion|completions|embedding|embeddings|textembedding|messages"
    r"|image|speech|transcription|reranking|generative-ai)$"
)
#: What stands before a model's own name: folders of clouds, regions and makers of Bedrock.
_FOLDER: Final = re.compile(
    r"^(arn:[^/]*/|projects/.*/models/|publishers/[^/]*/models/|models/"
    r"|((converse|converse_like|invoke)/)?([a-z]{2}(-gov)?-[a-z]+-\d/)?"
    r"|(eu|us|global|global-standard)/)"
)
_CLOUD: Final = re.compile(
    r"^((us|eu|apac|jp|au|ca|global|us-gov)\.)?"
    r"(anthropic|amazon|meta|mistral|cohere|deepseek|ai21|qwen|openai|moonshot|moonshotai|minimax"
    r"|zai|google|nvidia)\."
)
#: What stands behind it: versions of clouds, dates, stages.
_BEHIND: Final = (
    re.compile(r"-v\d+(:\d+)?(:\d+k)?$"),
    re.compile(r":\d+$"),
    re.compile(r"-maas$"),
    re.compile(r"[-@](20\d{6}|20\d\d-\d\d-\d\d)$"),
    re.compile(r"@(latest|default)$"),
    re.compile(r"-(latest|preview|exp|experimental)$"),
    re.compile(r"-preview-(\d\d-?\d\d|\d\d-20\d\d|20\d\d-\d\d-\d\d|20\d{6})$"),
    re.compile(r"-\d\d-20\d\d$"),
)
#: A cloud's version, a date and a stage, and one to spare: no name has more behind it.
_BEHIND_MAX: Final = 4
_DIGIT_POINT: Final = re.compile(r"(?<=\d)\.(?=\d)")


class Names:
    """Finds the names; made once of a catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._providers: dict[str, str] = {}
        self._routes: dict[str, ProviderEntry] = {}
        self._prefixes: list[tuple[str, str]] = []
        for one in catalogue.providers.providers:
            for name in (one.provider, *one.aliases):
                self._providers[name.casefold()] = one.provider
            self._routes |= dict.fromkeys(one.routes, one)
            self._prefixes += [(prefix.lower(), one.provider) for prefix in one.model_prefixes]
        self._models: dict[str, str] = {}
        priced = (one.model for one in catalogue.tariffs.tariffs if ANY not in one.model)
        named = (name for one in catalogue.models.models for name in one.names)
        for name in (*priced, *named):
            self._models.setdefault(_key(name), name)
        for one_model in catalogue.models.models:
            for alias, name in one_model.aliases.items():
                self._models.setdefault(_key(alias), name)

    def provider(self, name: str) -> str:
        """The provider's one name; the name itself where the catalogue does not know it."""
        folded = name.casefold()
        found = self._providers.get(folded)
        if found is None:
            found = self._providers.get(_API.sub("", folded))
        return name if found is None else found

    def knows_provider(self, name: str) -> bool:
        """Whether the catalogue has this name of a provider."""
        return name.casefold() in self._providers

    def knows_model(self, name: str) -> bool:
        """Whether the catalogue has this very name of a model; what globs match may be made up."""
        return _key(name) in self._models

    def is_route(self, vendor: str) -> bool:
        """Whether this, before a slash, tells who served."""
        return vendor in self._routes

    def route(self, model: str) -> tuple[str, str] | None:
        """Split ``vendor/model`` where the vendor is known to say who served; None elsewhere."""
        vendor, slash, rest = model.partition("/")
        entry = self._routes.get(vendor) if slash and rest else None
        if entry is None or any(matches(glob, rest) for glob in entry.not_routed):
            return None
        return entry.provider, rest

    def provider_by_prefix(self, model: str) -> str | None:
        """Who alone gives models names that begin like this one."""
        lowered = model.lower()
        return next((who for prefix, who in self._prefixes if lowered.startswith(prefix)), None)

    def model(self, name: str) -> str:
        """The model's one name; the name itself where no known one is left of it."""
        left = _FOLDER.sub("", name)
        maker, slash, rest = left.partition("/")
        if slash and self.provider(maker).casefold() in self._providers:
            left = rest  # As OpenRouter names models: x-ai/grok-4.7.
        for candidate in (name, left, _CLOUD.sub("", left)):
            for _ in range(_BEHIND_MAX):
                found = self._models.get(_key(candidate))
                if found is not None:
                    return found
                candidate = _shorten(candidate)
        return name


def _shorten(name: str) -> str:
    for pattern in _BEHIND:
        shorter = pattern.sub("", name)
        if shorter != name:
            return shorter
    return name


def _key(name: str) -> str:
    """What names of one model have in common: case, and points between digits do not matter."""
    return _DIGIT_POINT.sub("-", name.casefold())
