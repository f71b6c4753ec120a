"""A tariff on the terminal: for each of its versions when it holds, its source, and its prices."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from schemas.catalogue import TOKEN_CLASSES
from schemas.catalogue.prices import BILLED_AS
from schemas.catalogue.tariff_entries import FOREVER, PriceVersion
from services.billing.exact import money
from services.billing.tariff_prices import Tariff
from services.platform.terminal import cell

#: Period, tier, threshold, token class or unit, price, and what it is the price of.
PriceRow = tuple[str, str, str, str, str, str]


def print_tariff(tariff: Tariff, console: Console) -> None:
    """Print every version: a line of when and from where, and a table of its prices."""
    for version in tariff.versions:
        console.print(
            f"From {_moment(version.valid_from)} to {_moment(version.valid_to)}:"
            f" {version.source}, looked up {version.source_date}",
            markup=False,
            highlight=False,
        )
        table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for column in ("period", "tier", "above", "what", version.currency, "each"):
            number = column in ("above", version.currency)
            # A number is never broken; names fold where the terminal is narrow.
            table.add_column(
                column, justify="right" if number else "left", no_wrap=number, overflow="fold"
            )
        for row in price_rows(version):
            table.add_row(*map(cell, row))
        console.print(table)
    other = ", ".join(f"{name} as {usual}" for name, usual in BILLED_AS.items())
    console.print(f"Classes that are not listed are billed as others: {other}.", highlight=False)


def price_rows(version: PriceVersion) -> Iterator[PriceRow]:
    """The prices of a version; of the classes that may be left out, those that it names."""
    for period in version.prices:
        for variant in version.all_variants:
            prices = variant.prices[period]
            above = f"{variant.above_input_tokens:,}" if variant.above_input_tokens else ""
            for name in TOKEN_CLASSES:
                if name in BILLED_AS and getattr(prices, name) is None:
                    continue
                same = "" if prices.billed_as(name) == name else f" (as {prices.billed_as(name)})"
                price = money(prices.price(name))
                yield period, variant.service_tier, above, name + same, price, "million tokens"
    for unit, price_of_unit in version.units.items():
        yield "", "", "", unit, money(price_of_unit), "thousand"


def _moment(moment: datetime) -> str:
    if moment == FOREVER:
        return "open"
    return f"{moment:%Y-%m-%d}" if (moment.hour, moment.minute) == (0, 0) else f"{moment:%F %R}"
