"""Finds what is wrong with a catalogue before it is on a bill: gaps, overlaps, missing prices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import combinations, pairwise
from typing import Final

from schemas.catalogue import Catalogue
from schemas.catalogue.entries import DAY_KINDS, REGION_ZONE
from schemas.catalogue.globs import matches
from schemas.catalogue.rows import zone_offsets
from schemas.catalogue.tariff_entries import FOREVER
from services.billing.class_check import class_findings
from services.billing.currency_check import currency_findings
from services.billing.findings import Finding, Level
from services.billing.price_list_check import list_findings
from services.billing.tariff_prices import Tariff, every_tariff_of, prices_at

#: A list of holidays is asked for so long before it ends: next year's are published in November.
HOLIDAYS_SOON: Final = timedelta(days=45)
HOUR_SECONDS: Final = 3600


def check(catalogue: Catalogue, now: datetime) -> list[Finding]:
    """All findings, errors first; those without errors bill as they read."""
    found = [
        *_calendars(catalogue),
        *_holidays(catalogue, now),
        *_holidays_before(catalogue),
        *_overlaps(catalogue),
        *_demand_charges(catalogue),
        *_models(catalogue, now),
        *_zones(catalogue),
        *class_findings(catalogue),
        *currency_findings(catalogue, now),
        *list_findings(catalogue, now),
    ]
    order: dict[Level, int] = {"error": 0, "warning": 1, "note": 2}
    return sorted(found, key=lambda one: order[one.level])


def _calendars(catalogue: Catalogue) -> Iterator[Finding]:
    """Each hour of each kind of day is in exactly one period."""
    for calendar in catalogue.tou.calendars:
        hours = Counter(hour for name in calendar.periods for hour in calendar.hours(name))
        every = [
            (number, hour)
            for number, kind in enumerate(DAY_KINDS, 1)
            if kind in calendar.day_kinds
            for hour in range(24)
        ]
        for kind, wrong in (
            ("calendar_gap", [hour for hour in every if hours[hour] == 0]),
            ("calendar_overlap", [hour for hour in every if hours[hour] > 1]),
        ):
            if wrong:
                day, hour = wrong[0]
                state = "in no period" if kind == "calendar_gap" else "in two periods"
                yield Finding(
                    "error",
                    kind,
                    calendar.calendar,
                    f"{len(wrong)} hours of its kinds of days are {state}, the first on"
                    f" {DAY_KINDS[day - 1]} at {hour:02}:00",
                )


def _holidays(catalogue: Catalogue, now: datetime) -> Iterator[Finding]:
    """Holidays are known for now, and for a while from now on."""
    used = {calendar.holidays for calendar in catalogue.tou.calendars}
    for one in catalogue.tou.holidays:
        if one.holidays not in used:
            continue
        for year in range(one.covers_from.year, one.covers_to.year + 1):
            if not any(day.year == year for day in one.days_off):
                message = f"covers {year} and has no day off in it"
                yield Finding("warning", "holidays_missing", one.holidays, message)
        if one.covers_to < now.date():
            # No error: what is known is billed as it reads, and time alone must stop nobody.
            message = f"ended on {one.covers_to}: since then holidays are billed as their weekday"
            yield Finding("warning", "holidays_end", one.holidays, message)
        elif one.covers_to <= (now + HOLIDAYS_SOON).date():
            message = f"ends on {one.covers_to}: add the next year's as soon as they are published"
            yield Finding("warning", "holidays_end", one.holidays, message)


def _holidays_before(catalogue: Catalogue) -> Iterator[Finding]:
    """No price goes by holidays from before its list of them begins."""
    for tariff in catalogue.tariffs.tariffs:
        calendar = catalogue.calendar(tariff.calendar) if tariff.calendar else None
        holidays = catalogue.holidays_of(calendar) if calendar else None
        first = min(version.valid_from for version in tariff.versions)
        if holidays is not None and first.date() < holidays.covers_from:
            yield Finding(
                "warning",
                "holidays_begin",
                tariff.tariff,
                f"holds from {_day(first)} on, and {holidays.holidays} begins on"
                f" {holidays.covers_from}: holidays before are billed as their weekday",
            )


def _overlaps(catalogue: Catalogue) -> Iterator[Finding]:
    """Two prices of the same specificity never hold at once."""
    versions = [
        (tariff, version) for tariff in catalogue.tariffs.tariffs for version in tariff.versions
    ]
    for (one, first), (other, second) in combinations(versions, 2):
        same = (one.provider, one.region, one.model.lower()) == (
            *(other.provider, other.region),
            other.model.lower(),
        )
        since = max(first.valid_from, second.valid_from)
        until = min(first.valid_to, second.valid_to)
        if not same or since >= until:
            continue
        if one.calendar == other.calendar and not set(first.prices) & set(second.prices):
            continue
        names = one.tariff if one is other else f"{one.tariff}, {other.tariff}"
        span = f"from {_day(since)}" + ("" if until == FOREVER else f" to {_day(until)}")
        yield Finding(
            "error", "price_overlap", names, f"two prices for the same tokens hold {span}"
        )


def _demand_charges(catalogue: Catalogue) -> Iterator[Finding]:
    for one, other in combinations(catalogue.tariffs.demand_charges, 2):
        if one.region != other.region:
            continue
        if max(one.valid_from, other.valid_from) < min(one.valid_to, other.valid_to):
            names = f"{one.demand_charge}, {other.demand_charge}"
            yield Finding("error", "demand_overlap", names, "both would be billed")
    for one in catalogue.tariffs.demand_charges:
        if (one.valid_from.day, one.valid_from.hour) != (1, 0):
            yield Finding(
                "warning",
                "demand_mid_month",
                one.demand_charge,
                "begins within a month; it is billed from the next month on",
            )


def _models(catalogue: Catalogue, now: datetime) -> Iterator[Finding]:
    """Each model that is named has a price, now and without a gap since its first."""
    for entry in catalogue.models.models:
        for name in entry.names:
            if any(matches(one.model, name) for one in catalogue.tariffs.unpriced):
                continue
            yield from _model(catalogue, name, entry.provider, now)
    for one in catalogue.tariffs.unpriced:
        message = f"has no price and is billed as unpriced: {one.reason}"
        yield Finding("note", "unpriced_by_choice", one.model, message)


def _model(catalogue: Catalogue, name: str, provider: str, now: datetime) -> Iterator[Finding]:
    reported: set[tuple[str, datetime]] = set()
    for region in (one.region for one in catalogue.regions.regions):
        tariffs = every_tariff_of(catalogue, region, provider, name)
        if not prices_at(catalogue, tariffs, region, now):
            message = f"has no price now at provider {provider!r} in region {region}"
            yield Finding("error", "no_price", name, message)
            return
        for start, end in pairwise((*_changes(tariffs), FOREVER)):
            for hour in _telling_hours(catalogue, tariffs, start, end):
                found = len(prices_at(catalogue, tariffs, region, hour))
                kind = "price_gap" if found == 0 else "price_ambiguous"
                if found == 1 or (kind, start) in reported:
                    continue
                reported.add((kind, start))
                what = "no price" if found == 0 else f"{found} prices, none more specific,"
                message = f"{what} in region {region} at {hour:%Y-%m-%d %H:%M} UTC"
                yield Finding("error", kind, name, message)


def _telling_hours(
    catalogue: Catalogue, tariffs: list[Tariff], start: datetime, end: datetime
) -> Iterator[datetime]:
    """Hours of a span in which prices do not change that meet every hour of every calendar.

    A week, and the first day of each kind that no week is sure to have, in any zone; without a
    calendar all hours are alike.
    """
    calendars = [catalogue.calendar(one.calendar) for one in tariffs if one.calendar]
    hours = 7 * 24 if calendars else 1
    yield from (start + timedelta(hours=number) for number in range(hours))
    for calendar in calendars:
        holidays = catalogue.holidays_of(calendar) if calendar else None
        if holidays is None:
            continue
        for days in (holidays.days_off, holidays.makeup_workdays):
            first = min((day for day in days if start.date() < day < end.date()), default=None)
            if first is not None:
                noon = datetime(first.year, first.month, first.day, 12, tzinfo=UTC)
                yield from (noon + timedelta(hours=number) for number in range(-26, 26))


def _changes(tariffs: list[Tariff]) -> list[datetime]:
    """When prices of a series change, from the first on."""
    versions = [version for tariff in tariffs for version in tariff.versions]
    ends = {version.valid_to for version in versions if version.valid_to < FOREVER}
    return sorted({version.valid_from for version in versions} | ends)


def _zones(catalogue: Catalogue) -> Iterator[Finding]:
    """Usage is kept by hours of UTC: where local hours begin at :30, their edges are not met."""
    followed = {one.zone for one in catalogue.tou.calendars}
    if REGION_ZONE in followed:
        followed |= {one.time_zone for one in catalogue.regions.regions}
    for zone in sorted(followed - {REGION_ZONE}):
        if any(offset % HOUR_SECONDS for _, offset in zone_offsets(zone)):
            yield Finding(
                "warning",
                "half_hour_zone",
                zone,
                "is not whole hours from UTC; an hour of usage is priced by the local time at its"
                " start",
            )


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}" if moment.hour == 0 else f"{moment:%Y-%m-%d %H:%M}"
