"""PURE. The grain of a bill: under which of its keys something that was metered falls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import date
from typing import Final

from services.platform.errors import ConfigurationError
from services.reconcile.bill import ANY_CONTEXT, DAY, NOT_BATCH, Context, Days, Key
from services.reconcile.metered import is_tokens, wider

STANDARD: Final = "standard"
#: A bill that has one of these tells what was written to a cache from other input.
_WRITES: Final = frozenset(("cache_write", "cache_write_5m", "cache_write_1h"))
#: Provider and model.
Who = tuple[str, str]


class Grain:
    """What a bill tells apart, by provider and model; made of its keys.

    ``providers`` are those that it is of, and ``covered`` its days, even if it has no key of one.
    ``every_unit`` says that a unit without a line was not billed, where else the bill may just not
    tell it. Raises `ConfigurationError` where it has overlapping periods of one model.
    """

    def __init__(
        self,
        keys: Collection[Key],
        covered: Iterable[Days],
        providers: Collection[str],
        *,
        every_unit: bool,
    ) -> None:
        self._every_unit = every_unit
        self.tells_providers = all(providers) and all(key.provider for key in keys)
        self._classes: defaultdict[Who, set[str]] = defaultdict(set)
        self._tiers: defaultdict[Who, set[str]] = defaultdict(set)
        self._thresholds: defaultdict[Who, int] = defaultdict(int)
        periods: defaultdict[Who, set[Days]] = defaultdict(set)
        for key in keys:
            who = self._who(key.provider, key.model)
            self._classes[who].add(key.billed_as)
            periods[who].add(key.days)
            if is_tokens(key.billed_as):
                self._tiers[who].add(key.service_tier)
                self._thresholds[who] = max(self._thresholds[who], key.context.threshold_tokens)
        self._providers = set(providers) if self.tells_providers else {""}
        self._all = set().union(*self._classes.values())
        self._periods = {who: _by_day(who, found) for who, found in periods.items()}
        widest_first = sorted(covered, key=lambda days: days.first - days.end)
        self._covered = {day: days for days in widest_first for day in _each(days)}

    def of_line(self, key: Key) -> Key:
        """Give the key of a line; one without a tier is standard where others of its model tell."""
        who = self._who(key.provider, key.model)
        named = replace(key, provider=who[0], service_tier="", context=ANY_CONTEXT)
        if not is_tokens(key.billed_as):
            return named
        context = key.context if key.context.threshold_tokens else self._context(who, 0)
        return replace(named, service_tier=self._tier(who, key.service_tier), context=context)

    def of_metered(
        self, day: date, provider: str, model: str, billed_as: str, tier: str, band: int
    ) -> Key | None:
        """Give the key under which something metered falls; None where the bill is silent on it.

        It is silent on other days, on other providers, and on a unit that it does not tell.
        """
        provider, model = self._who(provider, model)
        if provider not in self._providers:
            return None
        found = self._line_for((provider, model), billed_as)
        if found is None:
            return None
        who, billed_as = found
        days = self.days_of(who, day)
        if days is None:
            return None
        if not is_tokens(billed_as):
            return Key(days, *who, billed_as)
        return Key(days, *who, billed_as, self._tier(who, tier), self._context(who, band))

    def names(self, provider: str) -> bool:
        """Whether the bill has anything of a provider, or names none."""
        return not self.tells_providers or provider in self._providers

    def classes_in(self, key: Key, classes: Iterable[str]) -> list[str]:
        """Give those of these classes that the bill bills as this line."""
        who = (key.provider, key.model)
        return [name for name in classes if self._line_for(who, name) == (who, key.billed_as)]

    def days_of(self, who: Who, day: date) -> Days | None:
        """Give the period of a model that a day lies in; None where the bill is silent on it."""
        return self._periods.get(who, {}).get(day) or self._covered.get(day)

    def _who(self, provider: str, model: str) -> Who:
        return (provider, model) if self.tells_providers else ("", model)

    def _line_for(self, who: Who, billed_as: str) -> tuple[Who, str] | None:
        for where in (who, (who[0], "")):
            found = _wide_enough(billed_as, self._classes.get(where, set()))
            if found is not None:
                return where, found
        if not is_tokens(billed_as) and not self._every_unit:
            return None
        return who, _wide_enough(billed_as, self._all) or billed_as

    def _tier(self, who: Who, tier: str) -> str:
        told = self._tiers.get(who, {""})
        if told == {""}:
            return ""
        if NOT_BATCH in told:
            return tier if tier == "batch" else NOT_BATCH
        return tier or STANDARD

    def _context(self, who: Who, band: int) -> Context:
        threshold = self._thresholds.get(who, 0)
        return Context(threshold, above=band >= threshold) if threshold else ANY_CONTEXT


def _wide_enough(billed_as: str, known: Collection[str]) -> str | None:
    """Give the class itself, or the narrowest that is known and has it within; None if none has."""
    at: str | None = billed_as
    while at is not None and at not in known:
        if at == "cache_write" and not _WRITES.isdisjoint(known):
            return None
        at = wider(at)
    return at


def _by_day(who: Who, periods: set[Days]) -> Mapping[date, Days]:
    found: dict[date, Days] = {}
    for days in sorted(periods):
        for day in _each(days):
            if day in found:
                raise ConfigurationError(
                    f"{' '.join(filter(None, who)) or 'the bill'}: periods overlap,"
                    f" {found[day]} and {days}: export them by one grain"
                )
            found[day] = days
    return found


def _each(days: Days) -> Iterable[date]:
    return (days.first + DAY * number for number in range((days.end - days.first).days))
