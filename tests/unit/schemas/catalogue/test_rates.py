"""Rates of exchange in the catalogue: digits as published, each pair and day once."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from schemas.catalogue import CatalogueError, load_catalogue
from schemas.catalogue.currencies import DECIMALS

SOURCE = "source: a bank, source_date: 2026-11-02"


def load(folder: Path, *rates: str, top: str = "") -> Path:
    lines = "".join(f"  - {{{one}}}\n" for one in rates)
    (folder / "rates.yaml").write_text(f"version: test\n{top}rates:\n{lines}")
    return folder


def row(rate: str = "0.140512345678", to: str = "USD", day: str = "2026-10-30") -> str:
    return f"from: CNY, to: {to}, date: {day}, rate: {rate}, {SOURCE}"


def test_a_rate_is_the_digits_of_the_file(tmp_path: Path) -> None:
    folder = load(tmp_path, row(), row(to="EUR"), row("7", day="2026-10-31"))
    rates = load_catalogue(folder).rates
    assert [one.rate for one in rates.rates] == [
        Decimal("0.140512345678"),
        Decimal("0.140512345678"),
        Decimal(7),
    ]
    assert rates.max_age_days == 7
    assert load_catalogue(load(tmp_path, row(), top="max_age_days: 3\n")).rates.max_age_days == 3


def test_the_shipped_file_converts_nothing() -> None:
    assert load_catalogue().rates.rates == ()


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ((row(), row("0.2")), "CNY to USD on 2026-10-30 is there twice"),
        ((row(to="CNY"),), "from CNY to itself"),
        ((row(to="RMB"),), "'RMB' is no currency of ISO 4217: write CNY"),
        ((row(to="usd"),), "'usd' is no currency of ISO 4217: write USD"),
        ((row(to="XXZ"),), "'XXZ' is no currency of ISO 4217, such as USD or CNY"),
        ((row("0"),), "rates.0.rate: Input should be greater than 0"),
        ((row("0.1405123456789"),), "no more than 12 decimal"),
        ((row("1e400"),), "rates.0.rate"),
        ((row(".nan"),), "rates.0.rate"),
        ((row("'seven'"),), "rates.0.rate"),
        ((f"from: CNY, to: USD, date: 2026-10-30, {SOURCE}",), "rates.0.rate: Field required"),
    ],
)
def test_a_rate_that_is_wrong_is_refused(
    tmp_path: Path, rows: tuple[str, ...], complaint: str
) -> None:
    with pytest.raises(CatalogueError, match=r"rates\.yaml") as caught:
        load_catalogue(load(tmp_path, *rows))
    assert complaint in str(caught.value)


def test_each_currency_is_there_once_with_the_decimals_of_its_smallest_coin() -> None:
    assert len(DECIMALS) > 150
    assert [DECIMALS[code] for code in ("USD", "CNY", "JPY", "KRW", "KWD", "CLF")] == [
        *(2, 2, 0, 0, 3, 4)
    ]


def test_a_tariff_names_its_currency_or_is_in_usd(tmp_path: Path) -> None:
    assert {
        version.currency for one in load_catalogue().tariffs.tariffs for version in one.versions
    } == {"USD"}
    prices = "{uncached_input: 1, cache_read: 1, cache_write: 1, output: 4, reasoning: 4}"
    tariff = (
        "version: test\ntariffs:\n  - tariff: t\n    provider: p\n    model: m\n    region: '*'\n"
        "    versions:\n      - {valid_from: 2026-01-01, source: s, source_date: 2026-01-01,"
        " currency: %s, prices: {flat: " + prices + "}}\n"
    )
    (tmp_path / "tariffs.yaml").write_text(tariff % "CNY")
    assert load_catalogue(tmp_path).tariffs.tariffs[0].versions[0].currency == "CNY"
    (tmp_path / "tariffs.yaml").write_text(tariff % "RMB")
    with pytest.raises(CatalogueError, match="write CNY"):
        load_catalogue(tmp_path)
