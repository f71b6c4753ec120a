"""The lists that genai-prices brings along, against what the package itself makes of them."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date
from functools import cache
from typing import Any

import pytest

from schemas.catalogue.listed_tariffs import ListsHeader
from schemas.catalogue.price_lists import PriceLists
from services.billing.price_lists.drawn import Reading
from services.billing.price_lists.genai_package import read_genai_prices

snapshot = pytest.importorskip("genai_prices.data_snapshot").get_snapshot
TODAY = date(2026, 11, 26)


@cache
def reading() -> Reading:
    return read_genai_prices(TODAY)


@cache
def each_list_alone() -> PriceLists:
    """All lists, each of a provider of its own name."""
    found = reading()
    names = dict.fromkeys(one.list for one in found.tariffs)
    header = ListsHeader(providers={name: (name,) for name in names}, calendars=found.calendars)
    return PriceLists(header=header, tariffs=found.tariffs)


def providers() -> list[Any]:
    return list(snapshot().providers)


def test_all_but_one_in_twenty_is_taken_over_and_the_rest_says_why() -> None:
    found = reading()
    assert found.skipped == ()
    own = {(p.id, model.id) for p in providers() for model in p.models}
    drawn = {(one.list, one.model): one for one in found.tariffs}
    assert own <= drawn.keys()
    taken = sum(bool(drawn[key].versions) for key in own)
    assert taken >= 0.95 * len(own), f"{taken} of {len(own)}"
    assert all(one.versions or one.not_taken for one in found.tariffs)
    print(Counter(one.not_taken for key, one in drawn.items() if key in own))


def test_no_model_comes_twice_in_a_list() -> None:
    times = Counter(one.tariff for one in reading().tariffs)
    assert [name for name, count in times.items() if count > 1] == []


def names_to_try(provider: Any) -> list[str]:
    """Names that a list's clauses name, and those names changed a little."""
    names = [model.id for model in provider.models]
    for one in each_list_alone().by_list[provider.id]:
        names += one.names
        for pattern in one.patterns:
            names += [part.replace("\\", "").strip("^$") for part in pattern.like]
    draws = random.Random(provider.id)
    for name in draws.sample(names, min(len(names), 200)):
        names += [f"{name}-20260401", f"{name}-preview", f"x-{name}", name.upper(), f"{name}-tts"]
    return names


@pytest.mark.parametrize("provider", providers(), ids=lambda one: one.id)
def test_each_name_finds_the_model_that_the_package_finds(provider: Any) -> None:
    for name in names_to_try(provider):
        expected = provider.find_model(name, all_providers=providers())
        found = each_list_alone().find(provider.id, name)
        if expected is None:
            assert found is None, name
            continue
        assert found is not None, name
        whose = provider.id if any(expected is one for one in provider.models) else None
        model = found.model if whose else found.model.partition(":")[2]
        assert model == expected.id, name


def test_a_list_of_a_provider_says_its_page() -> None:
    pages = {p.id: next(iter(p.pricing_urls or ()), None) for p in providers()}
    for one in reading().tariffs:
        for version in one.versions:
            page = pages[one.list]
            if page is not None and ":" not in one.model:
                assert version.source == f"genai-prices {reading().source.version}, {page}"
