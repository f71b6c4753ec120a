"""PURE. The price lists as rows of ClickHouse tables (schemas/clickhouse/0019_price_lists.sql)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from schemas.catalogue.currencies import USD
from schemas.catalogue.globs import ANY
from schemas.catalogue.listed_tariffs import ListedTariff, ListedVersion
from schemas.catalogue.price_lists import PriceLists
from schemas.catalogue.prices import STANDARD, TOKEN_CLASSES

Row = tuple[Any, ...]

LISTED_MODEL_COLUMNS: Final = (
    *("provider", "list_rank", "place", "list", "tariff_id"),
    *("name", "found", "not_found"),
)


def listed_tariff_rows(lists: PriceLists) -> Iterator[Row]:
    """Rows of `tariffs`, in the columns of `TARIFF_COLUMNS` and `list`: one of each class.

    Lists are in USD.
    """
    for tariff in lists.tariffs:
        for version in tariff.versions:
            for period in version.periods:
                yield from _rows(tariff, version, period)


def _rows(tariff: ListedTariff, version: ListedVersion, period: str) -> Iterator[Row]:
    labels = (tariff.tariff, "", tariff.model, ANY, tariff.calendar or "", period)
    span = (version.valid_from, version.valid_to)
    for variant in version.all_variants:
        prices = variant.prices[period]
        source = version.source if variant.source is None else variant.source
        for name in TOKEN_CLASSES:
            price = prices.price(name)
            yield (
                *(*labels, *span, source, version.source_date, USD),
                *(name, variant.service_tier, variant.above_input_tokens, price),
                *(price, prices.billed_as(name), "", None, tariff.list),
            )
    for unit, price in version.units.items():
        yield (
            *(*labels, *span, version.source, version.source_date, USD),
            *("", STANDARD, 0, price, None, "", unit, price, tariff.list),
        )


def listed_model_rows(lists: PriceLists) -> Iterator[Row]:
    """Rows of `listed_models`: each name and pattern at each provider whose list it is in."""
    for provider, named in lists.header.providers.items():
        for rank, listed in enumerate(named):
            for place, tariff in enumerate(lists.by_list[listed]):
                labels = (provider, rank, place, listed, tariff.tariff)
                for name in tariff.names:
                    yield (*labels, name, [], [])
                for pattern in tariff.patterns:
                    yield (*labels, "", [*pattern.like], [*pattern.unlike])
