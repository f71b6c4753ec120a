"""A tariff as people read it: prices that it names, and what it says of the others."""

from __future__ import annotations

import io

from rich.console import Console

from schemas.catalogue import load_catalogue
from services.billing.tariff_table import price_rows, print_tariff

CATALOGUE = load_catalogue()


def test_each_price_that_a_version_names_is_a_row() -> None:
    (tariff,) = (one for one in CATALOGUE.tariffs.tariffs if one.tariff == "claude-opus-5.5")
    assert list(price_rows(tariff.versions[0])) == [
        ("flat", "standard", "", "uncached_input", "4.00", "million tokens"),
        ("flat", "standard", "", "cache_read", "0.20", "million tokens"),
        ("flat", "standard", "", "cache_write", "5.00", "million tokens"),
        ("flat", "standard", "", "cache_write_1h", "8.00", "million tokens"),
        ("flat", "standard", "", "output", "20.00", "million tokens"),
        ("flat", "standard", "", "reasoning (as output)", "20.00", "million tokens"),
        ("flat", "batch", "", "uncached_input", "2.00", "million tokens"),
        ("flat", "batch", "", "cache_read", "0.10", "million tokens"),
        ("flat", "batch", "", "cache_write", "2.50", "million tokens"),
        ("flat", "batch", "", "cache_write_1h", "4.00", "million tokens"),
        ("flat", "batch", "", "output", "10.00", "million tokens"),
        ("flat", "batch", "", "reasoning (as output)", "10.00", "million tokens"),
        ("flat", "fast", "", "uncached_input", "8.00", "million tokens"),
        ("flat", "fast", "", "cache_read", "0.40", "million tokens"),
        ("flat", "fast", "", "cache_write", "10.00", "million tokens"),
        ("flat", "fast", "", "cache_write_1h", "16.00", "million tokens"),
        ("flat", "fast", "", "output", "40.00", "million tokens"),
        ("flat", "fast", "", "reasoning (as output)", "40.00", "million tokens"),
        ("", "", "", "web_searches", "10.00", "thousand"),
    ]


def test_versions_say_when_they_hold_and_no_number_is_broken() -> None:
    (tariff,) = (one for one in CATALOGUE.tariffs.tariffs if one.tariff == "gpt-5.6-luna")
    printed = io.StringIO()
    print_tariff(tariff, Console(file=printed, width=60))
    text = " ".join(printed.getvalue().split())
    assert "From 2025-01-01 to 2026-07-30: https://developers.openai.com" in text
    assert "From 2026-07-30 to open" in text
    for number in ("272,000", "0.125", "10.00"):
        assert number in text
    assert "cache_write_1h as cache_write" in text
