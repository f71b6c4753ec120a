"""PURE: what an answer says beside its usage: how it was served, and what was searched for it.

Prices depend on both, and providers put neither into the usage object: OpenAI's tier stands at the
top of its answer, the searches of its Responses API are listed in `output`, Gemini's in
`groundingMetadata`, Bedrock's tier in `serviceTier`. The words are the provider's; ingest knows
what they mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypedDict

from wattoken.client.events import plain

#: The words of the APIs whose answers are read as they pass, as an event has them.
_TIERS: Final = {
    "default": "standard",
    "on_demand": "standard",
    **{tier: tier for tier in ("standard", "batch", "flex", "priority", "scale")},
}
#: A search of the web is billed, an opened page is not.
_SEARCH: Final = "search"
_FAILED: Final = "failed"


class PriceFields(TypedDict, total=False):
    """Fields of an event; what an answer does not tell is absent."""

    service_tier: str
    web_searches: int
    file_searches: int


def beside_usage(answer: object) -> PriceFields:
    """Read a whole answer: a mapping, or an object of a provider's SDK.

    To be given to `Meter.record` together with the answer's usage. What is no answer tells nothing.
    """
    whole = plain(answer)
    found: PriceFields = {}
    if not isinstance(whole, Mapping):
        return found
    tier = whole.get("service_tier")
    bedrock = whole.get("serviceTier")
    if isinstance(bedrock, Mapping):
        tier = bedrock.get("type")
    if isinstance(tier, str):
        found["service_tier"] = tier
    searches = _queries(whole.get("candidates")) or calls(whole.get("output"))
    reported = _within(whole, "tool_usage", "web_search").get("num_requests")
    if isinstance(reported, int) and not isinstance(reported, bool):
        searches["web_searches"] = reported
    return {**found, **searches}


def calls(items: object) -> PriceFields:
    """Count the searches among the items of an answer of the Responses API."""
    found: PriceFields = {}
    for item in _mappings(items):
        action = item.get("action")
        kind = action.get("type") if isinstance(action, Mapping) else None
        if kind not in (None, _SEARCH) or item.get("status") == _FAILED:
            continue
        match item.get("type"):
            case "web_search_call":
                found["web_searches"] = found.get("web_searches", 0) + 1
            case "file_search_call":
                found["file_searches"] = found.get("file_searches", 0) + 1
    return found


def in_our_words(told: PriceFields) -> PriceFields:
    """Say it for an event without a usage object; a tier that nobody knows is left out."""
    tier = _TIERS.get(told.get("service_tier", ""))
    found: PriceFields = {**told}
    found.pop("service_tier", None)
    if tier is not None:
        found["service_tier"] = tier
    return found


def _queries(candidates: object) -> PriceFields:
    """Count what Gemini searched for; the same query twice is one search."""
    queries = {
        query
        for candidate in _mappings(candidates)
        for name in ("groundingMetadata", "grounding_metadata")
        for asked in ("webSearchQueries", "web_search_queries")
        for query in _listed(_within(candidate, name).get(asked))
        if isinstance(query, str) and query
    }
    return {"web_searches": len(queries)} if queries else {}


def _within(holder: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    for name in names:
        value = holder.get(name)
        holder = value if isinstance(value, Mapping) else {}
    return holder


def _listed(value: object) -> Iterable[object]:
    return value if isinstance(value, list | tuple) else ()


def _mappings(value: object) -> Iterable[Mapping[str, Any]]:
    return [one for one in _listed(value) if isinstance(one, Mapping)]
