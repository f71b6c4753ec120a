"""PURE. Price lists of two sources as one: whose comes first, what the other adds, what it denies.

Of a model that both have, the first source's prices are listed; where the second says something
else, that is written down beside them. Only tiers that the first does not price are taken from the
second, and only where both agree on the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from typing import Final

from schemas.catalogue.listed_tariffs import ListedTariff, ListedVariant, ListsHeader
from schemas.catalogue.price_lists import PriceLists
from services.billing.price_lists.disputes import agree_on_tokens, dispute
from services.billing.price_lists.drawn import Reading

#: Providers of ours that have no list by a name of theirs, and whose list is theirs all the same.
_LIST_OF: Final = {"gcp.vertex_ai": "google", "azure.ai.inference": "azure"}
#: How the lists of the second source are named, so that they never are one of the first's.
SECOND: Final = "litellm."


def combined(
    first: Reading, second: Reading, provider_of: Callable[[str], str], seen: date
) -> PriceLists:
    """Put two readings together; ``provider_of`` is our name of a provider that a list names."""
    now = datetime(seen.year, seen.month, seen.day, tzinfo=UTC)
    providers = _providers(first, provider_of)
    main = PriceLists(
        header=ListsHeader(providers=providers, calendars=first.calendars), tariffs=first.tariffs
    )
    with_more = {one.tariff: one for one in first.tariffs}
    rest: list[ListedTariff] = []
    for theirs in second.tariffs:
        provider = theirs.list.removeprefix(SECOND)
        found = _both(main, provider, theirs)
        if found is None:
            rest.append(theirs)
        else:
            with_more[found.tariff] = _compared(with_more[found.tariff], theirs, now)
    for one in rest:
        mine = providers.get(one.list.removeprefix(SECOND), ())
        if one.list not in mine:
            providers[one.list.removeprefix(SECOND)] = (*mine, one.list)
    return PriceLists(
        header=ListsHeader(
            sources=(first.source, second.source),
            providers=dict(sorted(providers.items())),
            calendars=first.calendars,
        ),
        tariffs=(*with_more.values(), *rest),
    )


def _providers(first: Reading, provider_of: Callable[[str], str]) -> dict[str, tuple[str, ...]]:
    """The lists of each provider of ours, of the first source."""
    found: dict[str, tuple[str, ...]] = {}
    for listed in dict.fromkeys(one.list for one in first.tariffs):
        provider = provider_of(listed).lower()
        found[provider] = (*found.get(provider, ()), listed)
    lists = {one for named in found.values() for one in named}
    return found | {name: (listed,) for name, listed in _LIST_OF.items() if listed in lists}


def _both(main: PriceLists, provider: str, theirs: ListedTariff) -> ListedTariff | None:
    """The first source's tariff of a model of the second, by any name of it."""
    found = (main.find(provider, name) for name in theirs.names)
    return next((one for one in found if one is not None), None)


def _compared(ours: ListedTariff, theirs: ListedTariff, now: datetime) -> ListedTariff:
    """Our tariff with what the other source denies of it, and adds to it."""
    denied = dispute(ours, theirs, now)
    if denied is not None:
        ours = ours.model_copy(update={"disputes": (*ours.disputes, denied)})
    is_the_same_model = ours.model.rpartition(":")[2].lower() in theirs.names
    if not is_the_same_model or ours.calendar is not None:
        return ours
    if not agree_on_tokens(ours, theirs, now):
        return ours
    there = theirs.version_at(now)
    versions = tuple(
        version
        if there is None or not version.valid_from <= now < version.valid_to or not version.prices
        else version.model_copy(
            update={
                "variants": (
                    *version.variants,
                    *(
                        variant.model_copy(update={"source": there.source})
                        for variant in there.variants
                        if variant.service_tier not in _tiers(version.all_variants)
                    ),
                )
            }
        )
        for version in ours.versions
    )
    return ours.model_copy(update={"versions": versions})


def _tiers(variants: Iterable[ListedVariant]) -> set[str]:
    return {variant.service_tier for variant in variants}
