"""PURE. The plan that somebody asks for, or what is wrong with what they ask."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from schemas.price_class import SERVICE_TIERS
from services.billing.plans.known import Known
from services.billing.plans.plan import Labels, Plan
from services.platform.errors import ConfigurationError

#: Beyond it the ends of a month that are turned round would be no small part of it.
SHIFT_HOURS_MAX: Final = 24 * 7
#: So many names are told of what there is.
NAMES_MAX: Final = 12


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is asked for: each text is ``OTHER``, for all, or ``OLD=OTHER``; of models the latter.

    ``OTHER`` of a model is its name, or ``PROVIDER,NAME``.
    """

    tariffs: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    tier: str | None = None
    shift_hours: int = 0

    @property
    def any(self) -> bool:
        """Whether anything is."""
        return self != Wishes()


def wished_plan(wishes: Wishes, known: Known, *, running: bool) -> Plan:
    """Make one plan of all wishes: models first, then where they are, then what bills them.

    Raises `ConfigurationError` if a wish names what was not metered or what the catalogue has not.
    """
    _check_time(wishes, running=running)
    changed = {one: one for one in known.labels}
    changed = _other_models(wishes.models, changed)
    changed = _other_providers(wishes.providers, changed, known)
    changed = _other_regions(wishes.regions, changed, known)
    tiers = {} if wishes.tier is None else dict.fromkeys(known.labels, _tier(wishes.tier))
    return Plan(
        "yours",
        _name(wishes),
        labels={old: new for old, new in changed.items() if old != new},
        tiers=tiers,
        shift_hours=wishes.shift_hours,
        tariffs=_tariffs(wishes.tariffs, changed, known),
        other_models=bool(wishes.models),
    )


def _check_time(wishes: Wishes, *, running: bool) -> None:
    if abs(wishes.shift_hours) > SHIFT_HOURS_MAX:
        raise ConfigurationError(
            f"--shift-hours {wishes.shift_hours}: at most {SHIFT_HOURS_MAX} hours, later or earlier"
        )
    if wishes.shift_hours and running:
        raise ConfigurationError(
            "--shift-hours: the month is not over, and its last hours would come to its first: take"
            " a month that is"
        )


def _other_models(wishes: Iterable[str], changed: dict[Labels, Labels]) -> dict[Labels, Labels]:
    for wish in wishes:
        old, new = _pair(wish, "--model")
        if old is None:
            raise ConfigurationError(f"--model {wish}: say which one becomes it: OLD={wish}")
        provider, comma, name = new.rpartition(",")
        if not name or (comma and not provider):
            raise ConfigurationError(f"--model {wish}: OLD=NAME, or OLD=PROVIDER,NAME")
        _metered(old, {one.model for one in changed}, "--model", "model")
        for one, now in changed.items():
            if one.model == old:
                changed[one] = now._replace(provider=provider or now.provider, model=name)
    return changed


def _other_providers(
    wishes: Iterable[str], changed: dict[Labels, Labels], known: Known
) -> dict[Labels, Labels]:
    """A model that was asked for by name is taken as it is; another as the provider names it."""
    for wish in wishes:
        old, new = _pair(wish, "--provider")
        if old is not None:
            _metered(old, {one.provider for one in changed}, "--provider", "provider")
        if new not in known.sellers and all(one == now for one, now in changed.items()):
            raise ConfigurationError(
                f"--provider {new}: it has a price for none of the models that were used; who has:"
                f" {_some(known.sellers)}"
            )
        names = known.sellers.get(new, {})
        for one, now in changed.items():
            if old not in (None, one.provider):
                continue
            if now.model != one.model:
                changed[one] = now._replace(provider=new)
            elif one in names:
                changed[one] = now._replace(provider=new, model=names[one])
    return changed


def _other_regions(
    wishes: Iterable[str], changed: dict[Labels, Labels], known: Known
) -> dict[Labels, Labels]:
    for wish in wishes:
        old, new = _pair(wish, "--region")
        if old is not None:
            _metered(old, known.regions_used(), "--region", "region")
        there = known.regions | known.regions_used()
        if new not in there:
            raise ConfigurationError(
                f"--region {new}: the catalogue has no such region: {_some(there)}"
            )
        for one, now in changed.items():
            if old in (None, one.region):
                changed[one] = now._replace(region=new)
    return changed


def _tariffs(
    wishes: Iterable[str], changed: dict[Labels, Labels], known: Known
) -> dict[Labels, str]:
    found: dict[Labels, str] = {}
    for wish in wishes:
        old, new = (None, wish) if wish in known.tiers else _pair(wish, "--tariff")
        if new not in known.tiers:
            raise ConfigurationError(
                f"--tariff {new}: the database has no such tariff: `wattoken tariffs list` has"
                " their names, `wattoken migrate` loads them"
            )
        if old is not None:
            _metered(old, {one.model for one in changed}, "--tariff", "model")
        for one, now in changed.items():
            if old in (None, one.model):
                found[now] = new
        _apart(wish, [now for one, now in changed.items() if old not in (None, one.model)], found)
    return found


def _apart(wish: str, others: Iterable[Labels], found: dict[Labels, str]) -> None:
    """Refuse a tariff of what is told apart from other usage no more."""
    for one in others:
        if one in found:
            raise ConfigurationError(
                f"--tariff {wish}: by the other options {one.model} in {one.region} is also what"
                " another model became: give the tariff to both, or to neither"
            )


def _tier(tier: str) -> str:
    if tier not in SERVICE_TIERS:
        raise ConfigurationError(f"--tier {tier}: one of {', '.join(SERVICE_TIERS)}")
    return tier


def _pair(wish: str, option: str) -> tuple[str | None, str]:
    old, equals, new = wish.partition("=")
    if not equals:
        old, new = "", wish
    if not new or (equals and not old):
        raise ConfigurationError(f"{option} {wish}: it is OTHER, for all, or OLD=OTHER")
    return old or None, new


def _metered(name: str, metered: Iterable[str], option: str, what: str) -> None:
    found = set(metered)
    if name not in found:
        raise ConfigurationError(
            f"{option} {name}=…: no {what} of this name was metered; what was: {_some(found)}"
        )


def _some(names: Iterable[str]) -> str:
    found = sorted(names)
    more = f" and {len(found) - NAMES_MAX} more" if len(found) > NAMES_MAX else ""
    return (", ".join(found[:NAMES_MAX]) or "nothing") + more


def _name(wishes: Wishes) -> str:
    hours = wishes.shift_hours
    parts = [
        *(f"model {one}" for one in wishes.models),
        *(f"provider {one}" for one in wishes.providers),
        *(f"region {one}" for one in wishes.regions),
        *([f"tier {wishes.tier}"] if wishes.tier is not None else []),
        *([f"{abs(hours)} h {'later' if hours > 0 else 'earlier'}"] if hours else []),
        *(f"tariff {one}" for one in wishes.tariffs),
    ]
    return ", ".join(parts)
