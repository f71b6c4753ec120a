"""What bills should be, written without a look at the SQL: entries of YAML, zoneinfo, fractions."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from schemas.catalogue import Catalogue

CLASSES = ("uncached_input", "cache_read", "cache_write", "output", "reasoning")


@dataclass(frozen=True)
class Reading:
    """A slice of the hour family as the aggregator writes it, its labels and totals."""

    tenant: str
    hour: datetime
    region: str
    provider: str
    model: str
    entry: str
    partition: int
    input: int
    cache_read: int
    cache_write: int
    output: int
    reasoning: int

    @property
    def classes(self) -> tuple[int, ...]:
        return (
            self.input - self.cache_read - self.cache_write,
            self.cache_read,
            self.cache_write,
            self.output - self.reasoning,
            self.reasoning,
        )


def fits(pattern: str, name: str) -> bool:
    regex = "".join(".*" if char == "*" else re.escape(char) for char in pattern)
    return re.fullmatch(regex, name, re.IGNORECASE | re.DOTALL) is not None


def price_of(catalogue: Catalogue, reading: Reading, token_class: str) -> Any:
    """(tariff, period, price) of one class in one hour, or None."""
    zones = {region.region: region.time_zone for region in catalogue.regions.regions}
    found = []
    for tariff in catalogue.tariffs.tariffs:
        labels = ((tariff.provider, reading.provider), (tariff.region, reading.region))
        if any(wanted not in ("*", had) for wanted, had in labels):
            continue
        if not fits(tariff.model, reading.model):
            continue
        period = "flat"
        if tariff.calendar is not None:
            calendar = next(c for c in catalogue.tou.calendars if c.calendar == tariff.calendar)
            zone = zones.get(reading.region) if calendar.zone == "region" else calendar.zone
            if zone is None:
                continue
            local = reading.hour.astimezone(ZoneInfo(zone))
            day = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[local.weekday()]
            for one in catalogue.tou.holidays:
                if one.holidays == calendar.holidays and local.date() in one.days_off:
                    day = "holiday"
                # The test's only calendar with holidays has hours of its own for these.
                if one.holidays == calendar.holidays and local.date() in one.makeup_workdays:
                    day = "makeup_workday"
            (period,) = (
                name
                for name, spans in calendar.periods.items()
                if any(
                    (span.weekdays is None or day in span.weekdays)
                    and span.start <= local.hour < span.end
                    for span in spans
                )
            )
        for version in tariff.versions:
            if version.valid_from <= reading.hour < version.valid_to and period in version.prices:
                price = getattr(version.prices[period], token_class)
                if not isinstance(price, Decimal):
                    price = getattr(version.prices[period], price.same_as)
                rank = (
                    *("*" not in tariff.model, len(tariff.model.replace("*", ""))),
                    *(tariff.provider != "*", tariff.region != "*"),
                )
                found.append((rank, tariff.tariff, period, Fraction(price)))
    return max(found)[1:] if found else None


def charges_of_readings(catalogue: Catalogue, readings: list[Reading]) -> dict[Any, Any]:
    tokens: dict[Any, int] = defaultdict(int)
    for one in readings:
        for name, amount in zip(CLASSES, one.classes, strict=True):
            labels = (one.hour, one.tenant, one.region, one.provider, one.model, one.entry)
            tokens[(*labels, name)] += amount
    charges = {}
    for key, amount in tokens.items():
        if amount == 0:
            continue
        hour, tenant, region, provider, model, entry, name = key
        place = Reading(tenant, hour, region, provider, model, entry, 0, 0, 0, 0, 0, 0)
        priced = price_of(catalogue, place, name)
        if priced is None:
            charges[key] = ("unpriced", "unpriced", amount, None, None)
        else:
            tariff, period, price = priced
            sign = -1 if entry == "credit" else 1
            charges[key] = (period, tariff, amount, price, sign * amount * price / 1_000_000)
    return charges


def demand_of_readings(readings: list[Reading], scope: str) -> dict[Any, tuple[int, datetime]]:
    """The billed demand and its first hour, by month and tenant."""
    hours: dict[Any, int] = defaultdict(int)
    for one in readings:
        if one.entry == "usage" and scope in ("*", one.region):
            hours[one.tenant, one.hour] += one.input + one.output
    best: dict[Any, tuple[int, datetime]] = {}
    for (tenant, hour), amount in sorted(hours.items()):
        key = (hour.date().replace(day=1), tenant)
        if amount > 0 and (key not in best or amount > best[key][0]):
            best[key] = (amount, hour)
    return best
