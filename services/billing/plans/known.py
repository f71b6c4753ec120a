"""PURE. What plans can be made of: what was metered, and what the catalogue has for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from services.billing.plans.plan import Labels, Used

_DIGIT_POINT: Final = re.compile(r"(?<=\d)\.(?=\d)")


@dataclass(frozen=True, slots=True)
class Known:
    """What a month's plans are made of.

    ``billed`` are the tariffs that bill each labels, ``fitting`` the labels that each tariff is
    for, winning or not. ``sellers`` says by provider under which name it has a price for what was
    used at another. ``tiers`` are the service tiers that each tariff of the catalogue prices.
    """

    used: tuple[Used, ...]
    billed: Mapping[Labels, frozenset[str]]
    by_time_of_use: bool
    fitting: Mapping[str, frozenset[Labels]]
    sellers: Mapping[str, Mapping[Labels, str]]
    regions: frozenset[str]
    tiers: Mapping[str, frozenset[str]]

    @property
    def labels(self) -> tuple[Labels, ...]:
        """All that was metered."""
        return tuple(one.labels for one in self.used)

    def regions_used(self) -> frozenset[str]:
        """Where something was used."""
        return frozenset(one.region for one in self.labels)


def candidates(
    used: Iterable[Labels], providers: Iterable[str], listed: Iterable[tuple[str, str]]
) -> dict[Labels, Labels]:
    """Under which labels other providers may sell the same models: those -> what was used.

    A model has its own name there, or one that the provider's list has and that differs in what is
    before a slash, in case, and in points between digits. ``listed`` are providers with names.
    """
    by_name: dict[str, list[tuple[str, str]]] = {}
    for provider, name in listed:
        by_name.setdefault(model_key(name), []).append((provider, name))
    every = sorted(set(providers))
    found: dict[Labels, Labels] = {}
    for labels in used:
        mine = labels.provider.lower()
        named = [(provider, labels.model) for provider in every]
        named += sorted(by_name.get(model_key(labels.model), ()), key=lambda one: len(one[1]))
        for provider, name in named:
            if provider.lower() != mine:
                found.setdefault(Labels(labels.region, provider, name), labels)
    return found


def model_key(name: str) -> str:
    """What names of one model have in common."""
    return _DIGIT_POINT.sub("-", name.lower().rpartition("/")[2])


def sellers_of(
    candidates: Mapping[Labels, Labels], priced: Iterable[Labels]
) -> dict[str, dict[Labels, str]]:
    """By provider, the name under which it has a price for what was used; the first that has one.

    ``candidates`` are in the order in which names are tried, ``priced`` those with a price.
    """
    having = set(priced)
    found: dict[str, dict[Labels, str]] = {}
    for there, used in candidates.items():
        if there in having:
            found.setdefault(there.provider, {}).setdefault(used, there.model)
    return found
