"""PURE. An entry of LiteLLM's price file as a tariff: its provider, names, tiers and lengths."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final

from schemas.catalogue.entries import FLAT
from schemas.catalogue.listed_tariffs import ALWAYS, ListedTariff, ListedVariant, ListedVersion
from schemas.catalogue.prices import STANDARD, ClassPrices, TokenClass
from schemas.price_class import CONTEXT_THRESHOLDS
from services.billing.price_lists.drawn import NotTaken, class_prices, rounded
from services.billing.price_lists.litellm_keys import TIERS, Key, Rates, rates_of

#: Providers where a threshold itself already has the higher price, as LiteLLM reckons it.
_INCLUSIVE: Final = frozenset({"xai"})
#: LiteLLM tells makers and kinds apart behind a provider's name: `vertex_ai-mistral_models`.
_KIND: Final = re.compile(r"-[a-z0-9_-]+[-_]models$")


def provider_of(entry: Mapping[str, Any]) -> str:
    """Who serves an entry, as LiteLLM calls them."""
    return _KIND.sub("", str(entry["litellm_provider"]))


def names_of(key: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of an entry's model, in lower case: with and without a provider before a slash."""
    provider, slash, rest = key.partition("/")
    served = {str(entry["litellm_provider"]), provider_of(entry)}
    plain = rest if slash and provider in served else key
    return tuple(dict.fromkeys((plain.lower(), key.lower())))


def draw(key: str, entry: Mapping[str, Any], listed: str, source: str, seen: date) -> ListedTariff:
    """Make the tariff of an entry; one without a version says why its prices are not taken."""
    names = names_of(key, entry)
    tariff = ListedTariff(list=listed, model=names[0], names=names, not_taken="not yet drawn")
    page = entry.get("source")
    said = source if not isinstance(page, str) else f"{source}, {page}"
    try:
        rates = rates_of(entry, inclusive=provider_of(entry) in _INCLUSIVE)
        version, remarks = _version(rates, said[:256], seen)
    except NotTaken as reason:
        return tariff.model_copy(update={"not_taken": str(reason)})
    update = {"versions": (version,), "not_taken": None, "remarks": remarks}
    return tariff.model_copy(update=update)


def _version(rates: Rates, source: str, seen: date) -> tuple[ListedVersion, tuple[str, ...]]:
    units: dict[str, Decimal] = {}
    remarks = list(rates.remarks)
    for unit, value in sorted(rates.units.items()):
        units[unit], remark = rounded(value, 1, unit)
        remarks += remark
    if rates.tokens and not units and not any(rates.tokens.values()):
        raise NotTaken("has only prices of 0: it is free, or its price is not known")
    standard = _by_length(rates, STANDARD, remarks)
    if not standard and not units:
        raise NotTaken("has no price of tokens, or of units that are known here")
    variants = list(_variants(STANDARD, standard))
    if standard:
        del variants[0]
        for tier in TIERS.values():
            variants += _tier(rates, tier, standard, remarks)
    version = ListedVersion(
        valid_from=ALWAYS,
        source=source,
        source_date=seen,
        prices={FLAT: standard[0]} if standard else {},
        variants=tuple(variants),
        units=units,
    )
    return version, tuple(dict.fromkeys(remarks))


def _variants(tier: str, by_length: Mapping[int, ClassPrices]) -> list[ListedVariant]:
    return [
        ListedVariant(service_tier=tier, above_input_tokens=above, prices={FLAT: prices})
        for above, prices in by_length.items()
    ]


def _tier(
    rates: Rates, tier: str, standard: Mapping[int, ClassPrices], remarks: list[str]
) -> list[ListedVariant]:
    """The prices of a tier, if it has one for all that the standard tier prices at each length.

    Where one is missing LiteLLM takes the standard tier's: nobody published that, so it is not
    taken over. Reasoning that costs what output does needs no price of its own.
    """
    priced = {(key.token_class, key.above_input_tokens) for key in rates.tokens if key.tier == tier}
    if not priced:
        return []
    usual = {
        (key.token_class, key.above_input_tokens)
        for key, value in rates.tokens.items()
        if key.tier == STANDARD
        and not (
            key.token_class == "reasoning"
            and rates.tokens.get(Key("output", STANDARD, key.above_input_tokens)) == value
        )
    }
    missing = sorted(usual - priced)
    if missing:
        token_class, above = missing[0]
        length = f" above {above:,} input tokens" if above else ""
        remarks.append(f"{tier} is not taken over: it has no price of {token_class}{length}")
        return []
    return _variants(tier, _by_length(rates, tier, remarks))


def _by_length(rates: Rates, tier: str, remarks: list[str]) -> dict[int, ClassPrices]:
    """Prices of a tier at each threshold; what has none of its own there goes on as below it."""
    said = {key: value for key, value in rates.tokens.items() if key.tier == tier}
    thresholds = sorted({key.above_input_tokens for key in said})
    strange = [above for above in thresholds if above and above not in CONTEXT_THRESHOLDS]
    if strange:
        raise NotTaken(f"has other prices above {strange[0]:,} tokens, which no rule tells apart")
    found: dict[int, ClassPrices] = {}
    tokens: dict[TokenClass, Decimal] = {}
    for above in thresholds:
        for key, value in said.items():
            if key.above_input_tokens == above:
                tokens[key.token_class], remark = rounded(value, 1, key.token_class)
                remarks += remark
        found[above] = class_prices(tokens)
    if found and 0 not in found:
        raise NotTaken("has prices of long input only")
    return found
