"""What the catalogue is made of but prices: models, providers, regions, calendars, holidays."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

DayKind = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday", "makeup_workday"]
WEEKDAYS: Final[tuple[DayKind, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: A day off by its calendar's list of holidays, whatever weekday it is; and one at a weekend that
#: is worked on to make up for such a day, in calendars that have hours of their own for it.
HOLIDAY: Final[DayKind] = "holiday"
MAKEUP_WORKDAY: Final[DayKind] = "makeup_workday"
DAY_KINDS: Final[tuple[DayKind, ...]] = (*WEEKDAYS, HOLIDAY, MAKEUP_WORKDAY)

#: `zone` of a calendar that follows the zone of the region where tokens were served.
REGION_ZONE: Final = "region"
#: The period of prices that hold at all hours.
FLAT: Final = "flat"
#: Names that statements use themselves.
RESERVED_PERIODS: Final = frozenset({FLAT, "unpriced"})


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is no IANA time zone, such as Europe/Berlin") from None
    return name


def _at_midnight_utc(value: object) -> object:
    """Take a date, or a date and time with its zone, as the moment in UTC."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a time needs its zone, such as 2026-07-30T16:00:00Z")
        return value.astimezone(UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value


Text = Annotated[str, Field(min_length=1, max_length=256)]
#: In the years that events may be from.
Day = Annotated[date, Field(ge=date(2000, 1, 1), lt=date(2100, 1, 1))]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=128)]
ZoneName = Annotated[str, AfterValidator(_known_zone)]
Moment = Annotated[datetime, BeforeValidator(_at_midnight_utc)]


class Entry(BaseModel):
    """Base of all entries: frozen, and a key that is not known is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Sourced(Entry):
    """An entry that says where it comes from, and when that was looked up."""

    source: Text
    source_date: date


class ModelEntry(Sourced):
    """A family of models: whose they are. ``names`` are models of it that must have a price."""

    patterns: Annotated[tuple[Text, ...], Field(min_length=1)]
    names: tuple[Text, ...] = ()
    priority: Annotated[int, Field(ge=1, le=2**32 - 1)]
    author: Text
    origin: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    license: Text
    #: Who serves it where an event does not say; '' if that cannot be known.
    provider: str
    #: Other names of models, each with the one that is in ``names`` or has a price.
    aliases: dict[Text, Text] = {}


class ProviderEntry(Sourced):
    """Who serves models, and the other names under which they are reported."""

    provider: Text
    aliases: tuple[Text, ...] = ()
    #: What stands before the slash in a model's name where it tells who served.
    routes: tuple[Text, ...] = ()
    #: Models with a route before them that the provider does not serve, as globs.
    not_routed: tuple[Text, ...] = ()
    #: How names of models begin that only this provider gives.
    model_prefixes: tuple[Text, ...] = ()


class RegionEntry(Sourced):
    """A serving region: its country, the zone of its days, and its provisioned tokens/s."""

    region: Text
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    time_zone: ZoneName
    capacity_tokens_per_second: Annotated[int, Field(ge=0, lt=2**64)]


class HourRange(Entry):
    """Hours of the day, half-open: ``from`` 6 ``to`` 10 is 06:00 up to, but not, 10:00."""

    start: Annotated[int, Field(alias="from", ge=0, le=23)]
    end: Annotated[int, Field(alias="to", ge=1, le=24)]
    #: None for every day.
    weekdays: Annotated[tuple[DayKind, ...], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if self.start >= self.end:
            raise ValueError("an hour range runs forwards; split one that passes midnight in two")
        return self

    @property
    def days(self) -> tuple[DayKind, ...]:
        """The kinds of days that it is of."""
        return DAY_KINDS if self.weekdays is None else self.weekdays


class HolidayList(Sourced):
    """The public holidays of a country, from one day to another, both included.

    ``days_off`` are all days of each holiday, those at a weekend too; ``makeup_workdays`` are days
    at a weekend that are worked on for them.
    """

    holidays: Slug
    covers_from: Day
    covers_to: Day
    days_off: Annotated[tuple[date, ...], Field(min_length=1)]
    makeup_workdays: tuple[date, ...] = ()

    @model_validator(mode="after")
    def _days(self) -> Self:
        days = (*self.days_off, *self.makeup_workdays)
        if len(set(days)) < len(days):
            raise ValueError("a day is listed twice")
        outside = [day for day in days if not self.covers_from <= day <= self.covers_to]
        if outside:
            raise ValueError(f"{outside[0]} lies outside what the list covers")
        return self


class CalendarEntry(Entry):
    """A time-of-use calendar: which period each hour of each kind of day is in.

    ``zone`` is an IANA name, or ``region`` for the zone of the region that served the tokens.
    ``holidays`` names the list by which its days are holidays and make-up workdays.
    """

    calendar: Slug
    zone: str
    holidays: Slug | None = None
    periods: Annotated[dict[Slug, tuple[HourRange, ...]], Field(min_length=1)]

    @model_validator(mode="after")
    def _names(self) -> Self:
        if self.zone != REGION_ZONE:
            _known_zone(self.zone)
        taken = RESERVED_PERIODS & set(self.periods)
        if taken:
            raise ValueError(f"{', '.join(sorted(taken))}: these names are taken")
        if self.holidays is None and (self._names_day(HOLIDAY) or self._names_day(MAKEUP_WORKDAY)):
            raise ValueError("its hours name holidays, and it has no list of them (holidays: …)")
        return self

    def _names_day(self, kind: DayKind) -> bool:
        """Whether a range names this kind of day."""
        return any(
            kind in (span.weekdays or ()) for spans in self.periods.values() for span in spans
        )

    @property
    def day_kinds(self) -> tuple[DayKind, ...]:
        """The kinds of days that it tells apart; a make-up workday is else its own weekday."""
        if self.holidays is None:
            return WEEKDAYS
        return DAY_KINDS if self._names_day(MAKEUP_WORKDAY) else (*WEEKDAYS, HOLIDAY)

    def kind_of(self, day: date, holidays: HolidayList | None) -> int:
        """Number of the kind that a local day is: Monday is 1, a holiday 8."""
        if holidays is None:
            return day.isoweekday()
        if day in holidays.days_off:
            return DAY_KINDS.index(HOLIDAY) + 1
        if day in holidays.makeup_workdays and MAKEUP_WORKDAY in self.day_kinds:
            return DAY_KINDS.index(MAKEUP_WORKDAY) + 1
        return day.isoweekday()

    def hours(self, period: str) -> list[tuple[int, int]]:
        """The (kind of day, hour) of a period; more than once where ranges overlap."""
        kinds = self.day_kinds
        return [
            (DAY_KINDS.index(day) + 1, hour)
            for span in self.periods[period]
            for day in span.days
            if day in kinds
            for hour in range(span.start, span.end)
        ]

    def periods_at(self, kind: int, hour: int) -> list[str]:
        """The periods that an hour of a kind of day is in: one, but for a gap or an overlap."""
        day = DAY_KINDS[kind - 1]
        return [
            period
            for period, spans in self.periods.items()
            if any(day in span.days and span.start <= hour < span.end for span in spans)
        ]
