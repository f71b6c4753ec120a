"""The prices that bills go by, as they stand in ClickHouse: the catalogue's tables as a catalogue.

What bills is what `wattoken migrate` loaded last, not the files that lie here. The tables say all
of tariffs, calendars and zones; of models and providers this catalogue knows nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from clickhouse_connect.driver.client import Client
from pydantic import ValidationError

from schemas.catalogue import Catalogue
from schemas.catalogue.currencies import USD
from schemas.catalogue.entries import DAY_KINDS, HOLIDAY, MAKEUP_WORKDAY
from schemas.catalogue.price_list_rows import LISTED_MODEL_COLUMNS
from schemas.catalogue.prices import STANDARD
from schemas.catalogue.rows import TARIFF_COLUMNS
from services.billing.stored_price_lists import price_lists_of
from services.platform.clickhouse import all_rows
from services.platform.errors import ConfigurationError

Row = Sequence[Any]
#: The columns of `tariffs`.
PRICE_COLUMNS: Final = (*TARIFF_COLUMNS, "list")
Fields = dict[str, Any]
#: Of what the tables do not say.
_SOURCE: Final = {"source": "ClickHouse", "source_date": date(1970, 1, 1)}
#: What tells the versions of a tariff apart, and those of others.
_VERSION: Final = ("valid_from", "valid_to", "source", "source_date", "currency")
_TARIFF: Final = ("provider", "model", "region", "calendar")


def read_stored_catalogue(client: Client) -> Catalogue:
    """Read it; of price lists, what is for metered models.

    Raises `UnavailableError`, and `ConfigurationError` if the tables make no sense.
    """
    metered = "tariff_id IN (SELECT tariff_id FROM listed_series)"
    columns = ", ".join(PRICE_COLUMNS)
    return catalogue_of(
        tariffs=all_rows(client, f"SELECT {columns} FROM tariffs WHERE list = '' OR {metered}", {}),
        names=all_rows(
            client,
            f"SELECT {', '.join(LISTED_MODEL_COLUMNS)} FROM listed_models WHERE {metered}",
            {},
        ),
        periods=all_rows(
            client, "SELECT calendar, time_zone, tou_period, weekday, hour FROM tou_periods", {}
        ),
        days=all_rows(client, "SELECT calendar, day, weekday FROM calendar_days", {}),
        regions=all_rows(
            client,
            "SELECT region, country, time_zone, capacity_tokens_per_second FROM regions",
            {},
        ),
    )


def catalogue_of(
    *,
    tariffs: Iterable[Row],
    periods: Iterable[Row],
    days: Iterable[Row],
    regions: Iterable[Row],
    names: Iterable[Row] = (),
) -> Catalogue:
    """Make a catalogue of the rows of its tables; raises `ConfigurationError` if they make none.

    ``tariffs`` have `PRICE_COLUMNS`, ``names`` `LISTED_MODEL_COLUMNS`, the others the columns that
    `read_stored_catalogue` names. Listed tariffs that no name leads to are left out.
    """
    stored = {"version": "stored"}
    calendars, holidays = _calendars(periods, days)
    by_tariff = _by_tariff(tariffs)
    listed = {name: rows for name, rows in by_tariff.items() if rows[0]["list"]}
    theirs = {rows[0]["calendar"] for rows in listed.values()}
    files = {
        "models": stored | {"models": ()},
        "regions": stored | {"regions": [_region(row) for row in regions]},
        "tariffs": stored
        | {"tariffs": [_tariff(*one) for one in sorted(by_tariff.items()) if one[0] not in listed]},
        "tou": stored
        | {
            "calendars": [one for one in calendars if one["calendar"] not in theirs],
            "holidays": holidays,
        },
        "price_lists": price_lists_of(
            names,
            {name: _listed(rows) for name, rows in listed.items()},
            [one for one in calendars if one["calendar"] in theirs],
        ),
    }
    try:
        return Catalogue.model_validate(files)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(map(str, problem["loc"]))
        raise ConfigurationError(
            f"the catalogue's tables make no sense: {place}: {problem['msg']}: run `wattoken"
            " migrate` of this release"
        ) from None


def _region(row: Row) -> Fields:
    names = ("region", "country", "time_zone", "capacity_tokens_per_second")
    return {**dict(zip(names, row, strict=True)), **_SOURCE}


def _by_tariff(rows: Iterable[Row]) -> dict[str, list[Fields]]:
    by_tariff: dict[str, list[Fields]] = defaultdict(list)
    for row in rows:
        fields = dict(zip(PRICE_COLUMNS, row, strict=True))
        by_tariff[fields["tariff_id"]].append(fields)
    return by_tariff


def _tariff(name: str, rows: list[Fields]) -> Fields:
    return {
        "tariff": name,
        **{label: rows[0][label] for label in _TARIFF},
        "calendar": rows[0]["calendar"] or None,
        "versions": [_version(*one) for one in sorted(_by_version(rows, _VERSION).items())],
    }


def _listed(rows: list[Fields]) -> Fields:
    """The prices of a listed tariff, of which a variant may be from another source."""
    versions = []
    for (valid_from, valid_to), prices in sorted(_by_version(rows, _VERSION[:2]).items()):
        standard = [row for row in prices if row["service_tier"] == STANDARD]
        source, source_date = standard[0]["source"], standard[0]["source_date"]
        version = _version((valid_from, valid_to, source, source_date, USD), prices)
        del version["currency"]
        sources = {row["service_tier"]: row["source"] for row in prices}
        for variant in version["variants"]:
            if sources[variant["service_tier"]] != source:
                variant["source"] = sources[variant["service_tier"]]
        versions.append(version)
    return {"calendar": rows[0]["calendar"] or None, "versions": versions}


def _by_version(rows: list[Fields], columns: Sequence[str]) -> dict[tuple[Any, ...], list[Fields]]:
    by_version: dict[tuple[Any, ...], list[Fields]] = defaultdict(list)
    for row in rows:
        by_version[tuple(row[name] for name in columns)].append(row)
    return by_version


def _version(labels: tuple[Any, ...], rows: list[Fields]) -> Fields:
    """When a version holds, where it is from, its prices, variants and units."""
    variants: dict[tuple[str, int], dict[str, Fields]] = defaultdict(lambda: defaultdict(dict))
    units = {row["unit"]: row["price"] for row in rows if row["unit"]}
    for row in rows:
        if not row["unit"]:
            name, own = row["token_class"], row["billed_as"] == row["token_class"]
            price = row["price"] if own else {"same_as": row["billed_as"]}
            place = (row["service_tier"], row["above_input_tokens"])
            variants[place][row["tou_period"]][name] = price
    standard = variants.pop((STANDARD, 0), {})
    return {
        **dict(zip(_VERSION, labels, strict=True)),
        **{"valid_from": _utc(labels[0]), "valid_to": _utc(labels[1])},
        "prices": standard,
        "variants": [
            {"service_tier": tier, "above_input_tokens": above, "prices": prices}
            for (tier, above), prices in sorted(variants.items())
        ],
        "units": units,
    }


def _calendars(periods: Iterable[Row], days: Iterable[Row]) -> tuple[list[Fields], list[Fields]]:
    """The calendars, each hour a range of its own, and the holidays of each that has some."""
    hours: dict[tuple[str, str], dict[str, list[Fields]]] = defaultdict(lambda: defaultdict(list))
    told_apart = set()
    for calendar, zone, period, kind, hour in periods:
        span = {"from": hour, "to": hour + 1, "weekdays": [DAY_KINDS[kind - 1]]}
        hours[calendar, zone][period].append(span)
        told_apart.add((calendar, kind))
    kinds: dict[str, dict[str, list[date]]] = defaultdict(lambda: defaultdict(list))
    for calendar, day, kind in days:
        # As `calendar_hours` does: a kind that the calendar has no hours for is its weekday.
        if (calendar, kind) in told_apart:
            kinds[calendar][DAY_KINDS[kind - 1]].append(day)
    calendars = [
        {"calendar": calendar, "zone": zone, "periods": spans}
        | ({"holidays": calendar} if calendar in kinds else {})
        for (calendar, zone), spans in sorted(hours.items())
    ]
    holidays = [
        {
            "holidays": calendar,
            "covers_from": min(min(found) for found in named.values()),
            "covers_to": max(max(found) for found in named.values()),
            "days_off": named[HOLIDAY],
            "makeup_workdays": named[MAKEUP_WORKDAY],
            **_SOURCE,
        }
        for calendar, named in sorted(kinds.items())
    ]
    return calendars, holidays


def _utc(moment: datetime) -> datetime:
    """The driver gives times of UTC without their zone."""
    return moment.replace(tzinfo=UTC)
