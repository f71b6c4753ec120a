"""PURE. What price lists are made of: tariffs with the names of their models, and sources."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from schemas.catalogue.entries import CalendarEntry, Entry, Moment, Slug, Text
from schemas.catalogue.globs import ANY
from schemas.catalogue.prices import ClassPrices, PriceVariant
from schemas.catalogue.tariff_entries import FOREVER, PriceVersion

#: From when on a price holds that its source gives no day for: from before any model there is.
ALWAYS: Final = datetime(2000, 1, 1, tzinfo=UTC)
#: What stands between a list and a model in a tariff's id; no id of tariffs.yaml can have it.
SEPARATOR: Final = "/"


def _from_text(value: object) -> object:
    """Read a day, or a moment with its zone, as JSON can write it."""
    if not isinstance(value, str):
        return value
    return date.fromisoformat(value) if len(value) == 10 else datetime.fromisoformat(value)


def _is_regexp(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
    if "(?" in pattern.replace("(?:", ""):
        raise ValueError(f"{pattern!r}: ClickHouse's expressions know no group that looks around")
    return pattern


ListMoment = Annotated[Moment, BeforeValidator(_from_text)]
Regexp = Annotated[Text, AfterValidator(_is_regexp)]


class NamePattern(Entry):
    """Names of models, in lower case: all of ``like`` are found in them, and none of ``unlike``."""

    like: tuple[Regexp, ...] = ()
    unlike: tuple[Regexp, ...] = ()

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.like and not self.unlike:
            raise ValueError("a pattern needs like or unlike")
        return self

    def matches(self, name: str) -> bool:
        """Whether the pattern describes this name, which is in lower case."""
        return all(re.search(one, name) for one in self.like) and not any(
            re.search(one, name) for one in self.unlike
        )


class ListedVariant(PriceVariant):
    """A variant; ``source`` says where it is from if not from where its version is."""

    source: Text | None = None


class ListedVersion(PriceVersion):
    """A version; ``source_date`` is the day on which its prices were first seen at ``source``.

    ``prices`` are empty where tokens have none and only units do.
    """

    valid_from: ListMoment = ALWAYS
    valid_to: ListMoment = FOREVER
    prices: dict[Slug, ClassPrices] = {}
    variants: tuple[ListedVariant, ...] = ()

    @property
    def all_variants(self) -> tuple[ListedVariant, ...]:
        """The variants, and first what ``prices`` says as one if it says anything."""
        standard = (ListedVariant(prices=self.prices),) if self.prices else ()
        return (*standard, *self.variants)

    @property
    def periods(self) -> tuple[str, ...]:
        """The periods that it has prices for; ``flat`` if it prices units only."""
        return tuple(self.prices) or ("flat",)


class Dispute(Entry):
    """What another source says of the same prices, where it is something else.

    ``differs`` has what is listed here and what is said there, by token class or unit.
    """

    source: Text
    name: Text
    differs: Annotated[dict[Text, tuple[str, str]], Field(min_length=1)]


class ListedTariff(Entry):
    """One model's prices in a list, and which names of models it is for, all in lower case.

    Of a model whose prices cannot be taken over, ``not_taken`` says why, and it has no version: its
    names lead to no price then, and not to that of another model further behind in the list.
    """

    list: Slug
    model: Text
    names: tuple[Text, ...] = ()
    patterns: tuple[NamePattern, ...] = ()
    calendar: Slug | None = None
    versions: tuple[ListedVersion, ...] = ()
    not_taken: Text | None = None
    #: What of the source's prices is not, or not quite, in these.
    remarks: tuple[str, ...] = ()
    disputes: tuple[Dispute, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.names and not self.patterns:
            raise ValueError(f"{self.tariff}: no name and no pattern leads to it")
        if bool(self.versions) == (self.not_taken is not None):
            raise ValueError(f"{self.tariff}: it needs versions, or a reason why it has none")
        for earlier, later in zip(self.versions, self.versions[1:], strict=False):
            if earlier.valid_to > later.valid_from:
                raise ValueError(f"{self.tariff}: two versions hold at {later.valid_from}")
        return self

    @property
    def tariff(self) -> str:
        """Its id, as charges name it."""
        return f"{self.list}{SEPARATOR}{self.model}"

    @property
    def provider(self) -> str:
        """Where a tariff by hand has its provider: the list, which some providers have."""
        return f"with the list {self.list}"

    @property
    def region(self) -> str:
        """Any, as of a tariff by hand."""
        return ANY

    def version_at(self, moment: datetime) -> ListedVersion | None:
        """The version that holds at a moment."""
        return next((v for v in self.versions if v.valid_from <= moment < v.valid_to), None)


class ListSource(Entry):
    """A package that price lists come from, and since when this version of it is known here."""

    source: Text
    version: Text
    license: Text
    first_seen: date


class ListsHeader(Entry):
    """Sources, calendars of the lists' periods, and the lists of each provider, in their order."""

    sources: tuple[ListSource, ...] = ()
    providers: dict[Text, tuple[Slug, ...]] = {}
    calendars: tuple[CalendarEntry, ...] = ()
