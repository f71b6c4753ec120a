"""What bills should be, written without a look at the SQL: entries of YAML, zoneinfo, fractions."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from schemas.catalogue import Catalogue

#: Token classes of input and of output; each with the one that it is billed as where a tariff does
#: not name it.
INPUT = {
    "uncached_input": None,
    "cache_read": None,
    "cache_write": None,
    "cache_write_5m": "cache_write",
    "cache_write_1h": "cache_write",
    "audio_input": "uncached_input",
    "image_input": "uncached_input",
    "cache_read_audio": "cache_read",
    "cache_read_image": "cache_read",
}
OUTPUT = {"output": None, "reasoning": None, "audio_output": "output", "image_output": "output"}
CLASSES = INPUT | OUTPUT
#: Which classes each measure of a slice is the sum of.
MEASURES = {
    "input_tokens": tuple(INPUT),
    "output_tokens": tuple(OUTPUT),
    "cache_read_input_tokens": ("cache_read", "cache_read_audio", "cache_read_image"),
    "cache_write_input_tokens": ("cache_write", "cache_write_5m", "cache_write_1h"),
    "cache_write_5m_input_tokens": ("cache_write_5m",),
    "cache_write_1h_input_tokens": ("cache_write_1h",),
    "audio_input_tokens": ("audio_input", "cache_read_audio"),
    "image_input_tokens": ("image_input", "cache_read_image"),
    "cache_read_audio_input_tokens": ("cache_read_audio",),
    "cache_read_image_input_tokens": ("cache_read_image",),
    "reasoning_output_tokens": ("reasoning",),
    "audio_output_tokens": ("audio_output",),
    "image_output_tokens": ("image_output",),
}


@dataclass(frozen=True)
class Reading:
    """A slice of hours as the aggregator writes it, told by what its tokens are billed as.

    ``units`` are quantities of slices of the unit family with the same labels.
    """

    tenant: str
    hour: datetime
    region: str
    provider: str
    model: str
    entry: str
    partition: int
    classes: Mapping[str, int]
    service_tier: str = ""
    context_band: int = 0
    units: Mapping[str, int] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[Any, ...]:
        return (self.hour, self.tenant, self.region, self.provider, self.model, self.entry)

    @property
    def measures(self) -> dict[str, int]:
        """The slice's columns: what a gateway reports of these tokens."""
        return {
            name: sum(self.classes.get(one, 0) for one in parts) for name, parts in MEASURES.items()
        }

    @property
    def tokens(self) -> int:
        return sum(self.classes.values())


def fits(pattern: str, name: str) -> bool:
    regex = "".join(".*" if char == "*" else re.escape(char) for char in pattern)
    return re.fullmatch(regex, name, re.IGNORECASE | re.DOTALL) is not None


def period_of(catalogue: Catalogue, name: str | None, region: str, hour: datetime) -> str | None:
    """Which period of a calendar an hour is in; None where the region's zone is not known."""
    if name is None:
        return "flat"
    zones = {one.region: one.time_zone for one in catalogue.regions.regions}
    calendar = next(c for c in catalogue.tou.calendars if c.calendar == name)
    zone = zones.get(region) if calendar.zone == "region" else calendar.zone
    if zone is None:
        return None
    local = hour.astimezone(ZoneInfo(zone))
    day = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[local.weekday()]
    for one in catalogue.tou.holidays:
        if one.holidays == calendar.holidays and local.date() in one.days_off:
            day = "holiday"
        # Without hours of its own for these, a calendar takes them for the weekday that they are.
        named = any(
            "makeup_workday" in (span.weekdays or ())
            for spans in calendar.periods.values()
            for span in spans
        )
        if named and one.holidays == calendar.holidays and local.date() in one.makeup_workdays:
            day = "makeup_workday"
    (period,) = (
        period
        for period, spans in calendar.periods.items()
        if any(
            (span.weekdays is None or day in span.weekdays) and span.start <= local.hour < span.end
            for span in spans
        )
    )
    return period


def winner_of(catalogue: Catalogue, reading: Reading) -> Any:
    """(tariff, version, period) that bills a series in one hour, or None."""
    found = []
    for tariff in catalogue.tariffs.tariffs:
        labels = ((tariff.provider, reading.provider), (tariff.region, reading.region))
        if any(wanted not in ("*", had) for wanted, had in labels):
            continue
        if not fits(tariff.model, reading.model):
            continue
        period = period_of(catalogue, tariff.calendar, reading.region, reading.hour)
        for version in tariff.versions:
            if version.valid_from <= reading.hour < version.valid_to and period in version.prices:
                rank = (
                    *("*" not in tariff.model, len(tariff.model.replace("*", ""))),
                    *(tariff.provider != "*", tariff.region != "*"),
                )
                found.append((rank, tariff.tariff, version, period))
    return max(found, key=lambda one: one[0])[1:] if found else None


def price_of(catalogue: Catalogue, reading: Reading, token_class: str, unit: str) -> Any:
    """(tariff, period, price) of one class, or of one unit, in one hour; or None."""
    found = winner_of(catalogue, reading)
    if found is None:
        return None
    tariff, version, period = found
    if unit:
        price = version.units.get(unit)
        return None if price is None else (tariff, period, Fraction(price))
    prices, reached = None, -1
    tier = reading.service_tier or "standard"
    if tier == "standard":
        prices, reached = version.prices, 0
    for variant in version.variants:
        if variant.service_tier == tier and (
            reached < variant.above_input_tokens <= reading.context_band
        ):
            prices, reached = variant.prices, variant.above_input_tokens
    if prices is None:
        return None
    said = getattr(prices[period], token_class)
    if said is None:
        said = getattr(prices[period], str(CLASSES[token_class]))
    if not isinstance(said, Decimal):
        said = getattr(prices[period], said.same_as)
    return tariff, period, Fraction(said)


def charges_of_readings(catalogue: Catalogue, readings: list[Reading]) -> dict[Any, Any]:
    """(period, tariff, quantity, price, amount) by labels, class and token class or unit."""
    quantities: dict[Any, int] = defaultdict(int)
    for one in readings:
        for name, amount in one.classes.items():
            quantities[(*one.labels, one.service_tier, one.context_band, "", name)] += amount
        for unit, amount in one.units.items():
            quantities[(*one.labels, "", 0, unit, "")] += amount
    charges = {}
    for key, amount in quantities.items():
        if amount == 0:
            continue
        hour, tenant, region, provider, model, entry, tier, band, unit, name = key
        place = Reading(tenant, hour, region, provider, model, entry, 0, {}, tier, band)
        priced = price_of(catalogue, place, name, unit)
        if priced is None:
            charges[key] = ("unpriced", "unpriced", amount, None, None)
        else:
            tariff, period, price = priced
            sign = -1 if entry == "credit" else 1
            each = 1000 if unit else 1_000_000
            charges[key] = (period, tariff, amount, price, sign * amount * price / each)
    return charges


def demand_of_readings(readings: list[Reading], scope: str) -> dict[Any, tuple[int, datetime]]:
    """The billed demand and its first hour, by month and tenant."""
    hours: dict[Any, int] = defaultdict(int)
    for one in readings:
        if one.entry == "usage" and scope in ("*", one.region):
            hours[one.tenant, one.hour] += one.tokens
    best: dict[Any, tuple[int, datetime]] = {}
    for (tenant, hour), amount in sorted(hours.items()):
        key = (hour.date().replace(day=1), tenant)
        if amount > 0 and (key not in best or amount > best[key][0]):
            best[key] = (amount, hour)
    return best
