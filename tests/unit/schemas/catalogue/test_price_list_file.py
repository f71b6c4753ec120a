"""The file of the price lists: what is written is what is read, and what is wrong is named."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from schemas.catalogue import CatalogueError, load_catalogue
from schemas.catalogue.files import SHIPPED
from schemas.catalogue.price_list_file import FILE, load_price_lists, price_list_text
from schemas.catalogue.price_lists import PriceLists

LISTS = load_price_lists(SHIPPED / FILE)
TARIFF = (
    '{"list": "main", "model": "m", "names": ["m"], "versions": [{"source": "a", "source_date":'
    ' "2026-11-26", "prices": {"flat": {"uncached_input": "0.1", "cache_read": {"same_as":'
    ' "uncached_input"}, "cache_write": {"same_as": "uncached_input"}, "output": "1", "reasoning":'
    ' {"same_as": "output"}}}}]}'
)


def test_the_shipped_file_is_what_would_be_written() -> None:
    text = (SHIPPED / FILE).read_text(encoding="utf-8")
    assert price_list_text(LISTS).splitlines() == text.splitlines()


def test_the_readmes_first_model_has_a_price_in_its_makers_list() -> None:
    tariff = LISTS.find("openai", "gpt-5")
    assert tariff is not None
    price = tariff.versions[-1].prices["flat"].price("uncached_input")
    assert (tariff.tariff, price) == ("openai/gpt-5", Decimal("1.25"))


def test_each_price_says_where_it_is_from_and_when_that_was_seen() -> None:
    packages = {f"{one.source} {one.version}" for one in LISTS.header.sources}
    for tariff in LISTS.tariffs:
        for version in tariff.versions:
            assert version.source_date >= date(2026, 11, 26)
            for source in (version.source, *(v.source for v in version.variants if v.source)):
                assert source.partition(",")[0] in packages, tariff.tariff


def test_the_catalogue_has_the_lists_unless_they_are_not_wanted(tmp_path: Path) -> None:
    assert load_catalogue().price_lists == LISTS
    assert load_catalogue(with_price_lists=False).price_lists == PriceLists()
    (tmp_path / FILE).write_text("")
    assert load_catalogue(tmp_path).price_lists == PriceLists()


def test_no_file_is_no_list(tmp_path: Path) -> None:
    assert load_price_lists(tmp_path / FILE) == PriceLists()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "line 1"),
        ("{}\n{", "line 2"),
        ('{}\n{"list": "x"}', "model: Field required"),
        ('{"providers": {"p": ["main"]}}', "no price list main"),
        (f"{{}}\n{TARIFF.replace('0.1', '0.1234567891')}", "decimal places"),
    ],
)
def test_a_file_that_is_wrong_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(CatalogueError, match="price_lists") as caught:
        load_price_lists(tmp_path / FILE)
    assert complaint in str(caught.value)


def test_digits_stay_as_they_are(tmp_path: Path) -> None:
    text = f"{{}}\n{TARIFF}\n"
    (tmp_path / FILE).write_text(text)
    lists = load_price_lists(tmp_path / FILE)
    assert lists.tariffs[0].versions[0].prices["flat"].price("uncached_input") == Decimal("0.1")
    assert price_list_text(lists) == text
