"""PURE. How price lists go on from those of before: nothing that was billed by is forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Final

from schemas.catalogue.listed_tariffs import ListedTariff, ListsHeader, ListSource
from schemas.catalogue.price_lists import PriceLists
from services.billing.price_lists.combine import SECOND
from services.billing.price_lists.timeline import continued

#: How the remark begins of a tariff that its list has no more.
GONE: Final = "its list has it no more since"


def carried_on(before: PriceLists, now: PriceLists, seen: date) -> PriceLists:
    """Go on from the lists of before: prices that changed become versions, nothing is forgotten.

    A model that its list has no more keeps its prices. A source whose version is the one of before
    keeps the day on which that was first seen.
    """
    moment = datetime(seen.year, seen.month, seen.day, tzinfo=UTC)
    known = {one.tariff: one for one in before.tariffs}
    whose = {name: who for who, lists in now.header.providers.items() for name in lists}
    tariffs = [
        continued(was, one, moment)
        if (was := known.get(one.tariff) or _by_name(before, one, whose)) is not None
        else one
        for one in now.tariffs
    ]
    gone = [_marked(one, seen) for one in _gone(before, now)]
    used = {one.calendar for one in (*tariffs, *gone)}
    calendars = {
        one.calendar: one
        for header in (before.header, now.header)
        for one in header.calendars
        if one.calendar in used
    }
    header = ListsHeader(
        sources=tuple(_first_seen(one, before.header.sources) for one in now.header.sources),
        providers=dict(sorted(_with_gone(now, before, gone).items())),
        calendars=tuple(calendars.values()),
    )
    return PriceLists(header=header, tariffs=_ordered(tariffs, gone, before))


def _by_name(
    before: PriceLists, tariff: ListedTariff, whose: Mapping[str, str]
) -> ListedTariff | None:
    """By which tariff a model was priced before it had one of its own."""
    provider = whose.get(tariff.list)
    if provider is None or not tariff.names:
        return None
    return before.find(provider, tariff.names[0])


def _first_seen(source: ListSource, before: Iterable[ListSource]) -> ListSource:
    same = (one for one in before if (one.source, one.version) == (source.source, source.version))
    return next(same, source)


def _with_gone(
    now: PriceLists, before: PriceLists, gone: Iterable[ListedTariff]
) -> dict[str, tuple[str, ...]]:
    """The lists of each provider, those that only models that are gone are in at the end."""
    left = {one.list for one in gone} - now.by_list.keys()
    found = dict(now.header.providers)
    for provider, lists in before.header.providers.items():
        more = tuple(name for name in lists if name in left)
        if more:
            found[provider] = (*found.get(provider, ()), *more)
    return found


def _gone(before: PriceLists, now: PriceLists) -> list[ListedTariff]:
    """What had prices and is in no list any more; but not where the first source has it now."""
    there = {one.tariff for one in now.tariffs}
    return [
        one
        for one in before.tariffs
        if one.versions
        and one.tariff not in there
        and not (
            one.list.startswith(SECOND)
            and any(now.find(one.list.removeprefix(SECOND), name) for name in one.names)
        )
    ]


def _marked(tariff: ListedTariff, seen: date) -> ListedTariff:
    """The tariff with the day since which its list has it no more."""
    if any(remark.startswith(GONE) for remark in tariff.remarks):
        return tariff
    return tariff.model_copy(update={"remarks": (*tariff.remarks, f"{GONE} {seen:%Y-%m-%d}")})


def _ordered(
    tariffs: Iterable[ListedTariff], gone: Iterable[ListedTariff], before: PriceLists
) -> tuple[ListedTariff, ...]:
    """List by list, in each as they come; what is gone stays behind what it stood behind."""
    by_list: dict[str, list[ListedTariff]] = {}
    for one in tariffs:
        by_list.setdefault(one.list, []).append(one)
    for one in gone:
        there = by_list.setdefault(one.list, [])
        places = {other.tariff: place for place, other in enumerate(there)}
        stood = before.by_list[one.list]
        earlier = stood[: [other.tariff for other in stood].index(one.tariff)]
        place = max((places[o.tariff] + 1 for o in earlier if o.tariff in places), default=0)
        there.insert(place, one)
    return tuple(one for name in sorted(by_list) for one in by_list[name])
