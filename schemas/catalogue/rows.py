"""The catalogue as rows of its ClickHouse tables (schemas/clickhouse/0005_catalogue.sql)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from schemas.catalogue.catalogue import Catalogue
from schemas.catalogue.currencies import USD
from schemas.catalogue.energy_rows import (
    FACTOR_COLUMNS,
    RATING_COLUMNS,
    SITE_COLUMNS,
    factor_rows,
    rating_rows,
    site_rows,
)
from schemas.catalogue.entries import REGION_ZONE
from schemas.catalogue.price_list_rows import (
    LISTED_MODEL_COLUMNS,
    listed_model_rows,
    listed_tariff_rows,
)
from schemas.catalogue.prices import STANDARD, TOKEN_CLASSES
from schemas.catalogue.tariff_entries import PriceVersion

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: Event times lie between these (schemas/usage_event.py); zones are followed from one to the other.
OFFSETS_FROM: Final = datetime(2000, 1, 1, tzinfo=UTC)
OFFSETS_TO: Final = datetime(2100, 1, 1, tzinfo=UTC)

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class TableRows:
    """All rows that a table shall have, in the order of ``columns``."""

    table: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def table_rows(catalogue: Catalogue) -> tuple[TableRows, ...]:
    """Render the catalogue as the whole content of each of its tables."""
    return (
        TableRows(
            "models",
            ("pattern", "priority", "author", "origin", "license", "provider"),
            tuple(
                (pattern, one.priority, one.author, one.origin, one.license, one.provider)
                for one in catalogue.models.models
                for pattern in one.patterns
            ),
        ),
        TableRows(
            "regions",
            ("region", "country", "time_zone", "capacity_tokens_per_second"),
            tuple(
                (one.region, one.country, one.time_zone, one.capacity_tokens_per_second)
                for one in catalogue.regions.regions
            ),
        ),
        TableRows("zone_offsets", ("time_zone", "valid_from", "offset_seconds"), _zones(catalogue)),
        TableRows(
            "tou_periods",
            ("calendar", "time_zone", "tou_period", "weekday", "hour"),
            tuple(
                (one.calendar, one.zone, period, weekday, hour)
                for one in (*catalogue.tou.calendars, *catalogue.price_lists.header.calendars)
                for period in one.periods
                for weekday, hour in one.hours(period)
            ),
        ),
        TableRows(
            "calendar_days",
            ("calendar", "day", "weekday"),
            tuple(_calendar_days(catalogue)),
        ),
        TableRows(
            "tariffs",
            (*TARIFF_COLUMNS, "list"),
            (
                *((*row, "") for row in _tariff_rows(catalogue)),
                *listed_tariff_rows(catalogue.price_lists),
            ),
        ),
        TableRows(
            "listed_models", LISTED_MODEL_COLUMNS, tuple(listed_model_rows(catalogue.price_lists))
        ),
        TableRows(
            "price_list_sources",
            ("source", "version", "license", "first_seen"),
            tuple(
                (one.source, one.version, one.license, one.first_seen)
                for one in catalogue.price_lists.header.sources
            ),
        ),
        TableRows(
            "exchange_rates",
            (
                *("from_currency", "to_currency", "day", "rate", "source", "source_date"),
                "max_age_days",
            ),
            tuple(
                (
                    *(one.from_currency, one.to_currency, one.date, one.rate),
                    *(one.source, one.source_date, catalogue.rates.max_age_days),
                )
                for one in catalogue.rates.rates
            ),
        ),
        TableRows(
            "demand_charges",
            (
                *("demand_charge_id", "region", "valid_from", "valid_to"),
                *("usd_per_token_per_second", "source", "source_date"),
            ),
            tuple(
                (
                    *(one.demand_charge, one.region, one.valid_from, one.valid_to),
                    *(one.usd_per_token_per_second, one.source, one.source_date),
                )
                for one in catalogue.tariffs.demand_charges
            ),
        ),
        TableRows("energy_ratings", RATING_COLUMNS, tuple(rating_rows(catalogue.energy))),
        TableRows("energy_sites", SITE_COLUMNS, tuple(site_rows(catalogue.energy))),
        TableRows("energy_factors", FACTOR_COLUMNS, tuple(factor_rows(catalogue.energy))),
    )


#: What a price of tokens has is '' or None in a price of units, and the other way round.
TARIFF_COLUMNS: Final = (
    *("tariff_id", "provider", "model", "region", "calendar", "tou_period"),
    *("valid_from", "valid_to", "source", "source_date"),
    *("currency", "token_class", "service_tier", "above_input_tokens", "price"),
    *("usd_per_million_tokens", "billed_as", "unit", "usd_per_thousand_units"),
)


def _tariff_rows(catalogue: Catalogue) -> Iterator[Row]:
    for tariff in catalogue.tariffs.tariffs:
        for version in tariff.versions:
            for period in version.prices:
                labels = (
                    *(tariff.tariff, tariff.provider, tariff.model, tariff.region),
                    *(tariff.calendar or "", period),
                    *(version.valid_from, version.valid_to, version.source, version.source_date),
                )
                yield from ((*labels, *price) for price in _prices(version, period))


def _prices(version: PriceVersion, period: str) -> Iterator[Row]:
    """What each row of a version's prices in one period ends with."""
    in_usd = version.currency == USD
    for variant in version.all_variants:
        prices = variant.prices[period]
        for name in TOKEN_CLASSES:
            price = prices.price(name)
            yield (
                *(version.currency, name, variant.service_tier, variant.above_input_tokens, price),
                *(price if in_usd else None, prices.billed_as(name), "", None),
            )
    for unit, price in version.units.items():
        in_thousands = price if in_usd else None
        yield (version.currency, "", STANDARD, 0, price, None, "", unit, in_thousands)


def _calendar_days(catalogue: Catalogue) -> Iterator[Row]:
    """The local days that a calendar takes for another kind than their weekday."""
    for calendar in catalogue.tou.calendars:
        holidays = catalogue.holidays_of(calendar)
        if holidays is None:
            continue
        for day in sorted({*holidays.days_off, *holidays.makeup_workdays}):
            kind = calendar.kind_of(day, holidays)
            if kind != day.isoweekday():
                yield (calendar.calendar, day, kind)


def _zones(catalogue: Catalogue) -> tuple[Row, ...]:
    calendars = (*catalogue.tou.calendars, *catalogue.price_lists.header.calendars)
    named = {one.zone for one in calendars} - {REGION_ZONE}
    named |= {one.time_zone for one in catalogue.regions.regions}
    return tuple((zone, *offset) for zone in sorted(named) for offset in zone_offsets(zone))


@lru_cache(maxsize=256)
def zone_offsets(zone: str) -> tuple[tuple[datetime, int], ...]:
    """When a zone's offset changes, and to how many seconds; the first row holds from 1970.

    zoneinfo does not say when its changes are, so they are found: in steps, then to the second.
    Since 2000 two changes of a zone have been at least a week apart, which is longer than a step.
    """
    tz = ZoneInfo(zone)

    def offset_at(second: int) -> int:
        offset = datetime.fromtimestamp(second, tz).utcoffset()
        return 0 if offset is None else round(offset.total_seconds())

    step = round(timedelta(days=5).total_seconds())
    first, last = round(OFFSETS_FROM.timestamp()), round(OFFSETS_TO.timestamp())
    held = offset_at(first)
    found = [(EPOCH, held)]
    for start in range(first, last, step):
        if offset_at(start + step) == held:
            continue
        low, high = start, start + step
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset_at(middle) == held else (low, middle)
        held = offset_at(high)
        found.append((datetime.fromtimestamp(high, UTC), held))
    return tuple(found)
