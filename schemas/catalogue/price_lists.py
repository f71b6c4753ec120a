"""PURE. Prices taken over from published lists: tariffs of their own, beside those by hand.

A list is one provider's, of one source. Which of its tariffs a model has is said by names and
patterns in the order of the list, as its source says it: so nothing here goes by the globs and the
specificity of tariffs.yaml, whose tariffs always come first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Final, Self

from pydantic import model_validator

from schemas.catalogue.entries import FLAT, CalendarEntry, Entry
from schemas.catalogue.listed_tariffs import ListedTariff, ListsHeader, NamePattern

#: A date in a model's name without points or dashes: LiteLLM and OpenRouter write it so.
_COMPACT_DATE: Final = re.compile(r"-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(-|:|$)")
_DATE_WITH_DASHES: Final = r"-\1-\2-\3\4"


class PriceLists(Entry):
    """All lists that were taken over; the tariffs of one are in the order of its source."""

    header: ListsHeader = ListsHeader()
    tariffs: tuple[ListedTariff, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        ids = [one.tariff for one in self.tariffs]
        if len(set(ids)) < len(ids):
            twice = next(name for name in ids if ids.count(name) > 1)
            raise ValueError(f"{twice} is there twice")
        lists = {one.list for one in self.tariffs}
        for provider, named in self.header.providers.items():
            strange = [name for name in named if name not in lists]
            if strange:
                raise ValueError(f"{provider}: there is no price list {strange[0]}")
        periods = {one.calendar: set(one.periods) for one in self.header.calendars}
        for one in self.tariffs:
            known = {FLAT} if one.calendar is None else periods.get(one.calendar)
            if known is None:
                raise ValueError(f"{one.tariff}: there is no calendar {one.calendar}")
            if any(set(version.periods) - known for version in one.versions):
                raise ValueError(f"{one.tariff}: its calendar has not all of its periods")
        return self

    @cached_property
    def by_list(self) -> dict[str, tuple[ListedTariff, ...]]:
        """The tariffs of each list."""
        found: dict[str, list[ListedTariff]] = {}
        for one in self.tariffs:
            found.setdefault(one.list, []).append(one)
        return {name: tuple(tariffs) for name, tariffs in found.items()}

    @cached_property
    def _patterns(self) -> dict[str, tuple[tuple[int, NamePattern], ...]]:
        """The patterns of each list, with the places of their tariffs in it."""
        return {
            name: tuple(
                (place, pattern) for place, one in enumerate(tariffs) for pattern in one.patterns
            )
            for name, tariffs in self.by_list.items()
        }

    @cached_property
    def _by_name(self) -> dict[tuple[str, str], int]:
        """Place in its list of the first tariff that has a name."""
        found: dict[tuple[str, str], int] = {}
        for name, tariffs in self.by_list.items():
            for place, one in enumerate(tariffs):
                for model in one.names:
                    found.setdefault((name, model), place)
        return found

    def find(self, provider: str, model: str) -> ListedTariff | None:
        """The tariff of a model at a provider: of its first list that has one.

        In a list the first wins that fits; a date in the name is also tried with dashes in it.
        """
        names = spellings(model)
        for listed in self.header.providers.get(provider.lower(), ()):
            for name in names:
                found = self._first(listed, name)
                if found is not None:
                    return found
        return None

    def _first(self, listed: str, name: str) -> ListedTariff | None:
        tariffs = self.by_list[listed]
        named = self._by_name.get((listed, name), len(tariffs))
        for place, pattern in self._patterns[listed]:
            if place >= named:
                break
            if pattern.matches(name):
                return tariffs[place]
        return tariffs[named] if named < len(tariffs) else None

    def of(self, models: Iterable[tuple[str, str]]) -> PriceLists:
        """Only what these models have, each of a provider: each finds here what it finds there."""
        found = {one.tariff for series in models if (one := self.find(*series)) is not None}
        tariffs = tuple(one for one in self.tariffs if one.tariff in found)
        lists = {one.list for one in tariffs}
        providers = {
            provider: left
            for provider, named in self.header.providers.items()
            if (left := tuple(name for name in named if name in lists))
        }
        header = self.header.model_copy(update={"providers": providers})
        return PriceLists(header=header, tariffs=tariffs)

    def calendar(self, name: str) -> CalendarEntry | None:
        """The calendar of listed tariffs of this name."""
        return next((one for one in self.header.calendars if one.calendar == name), None)


def spellings(model: str) -> tuple[str, ...]:
    """How a model's name is looked for: in lower case, then with dashes in its date, if any."""
    name = model.lower()
    dashed = _COMPACT_DATE.sub(_DATE_WITH_DASHES, name)
    return (name,) if dashed == name else (name, dashed)
