"""The rows of the tables that the price lists are in."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from schemas.catalogue import TOKEN_CLASSES, load_catalogue
from schemas.catalogue.price_lists import PriceLists
from schemas.catalogue.rows import table_rows
from tests.unit.schemas.catalogue.test_price_lists import SOURCE, VERSION, like, lists, tariff


def rows(price_lists: PriceLists) -> dict[str, list[dict[str, Any]]]:
    catalogue = load_catalogue(with_price_lists=False).model_copy(
        update={"price_lists": price_lists}
    )
    return {
        one.table: [dict(zip(one.columns, row, strict=True)) for row in one.rows]
        for one in table_rows(catalogue)
    }


def listed(price_lists: PriceLists) -> list[dict[str, Any]]:
    return [row for row in rows(price_lists)["tariffs"] if row["list"]]


def test_each_class_is_a_row_with_what_it_is_billed_as_and_each_unit_is_one() -> None:
    found = listed(lists(tariff("m", "m", versions=[VERSION | {"units": {"pages": "4"}}])))
    tokens = {
        row["token_class"]: (row["usd_per_million_tokens"], row["billed_as"])
        for row in found
        if not row["unit"]
    }
    assert set(tokens) == set(TOKEN_CLASSES)
    assert tokens["cache_read_audio"] == (Decimal(2), "uncached_input")
    assert tokens["image_output"] == (Decimal(6), "output")
    (unit,) = [row for row in found if row["unit"]]
    assert (unit["unit"], unit["usd_per_thousand_units"], unit["tou_period"]) == (
        *("pages", Decimal(4)),
        "flat",
    )
    assert {row["tariff_id"] for row in found} == {"main/m"}


def test_a_variant_from_elsewhere_says_so_in_its_rows() -> None:
    batch = {"service_tier": "batch", "prices": VERSION["prices"], "source": "elsewhere"}
    found = listed(lists(tariff("m", "m", versions=[VERSION | {"variants": [batch]}])))
    sources = {row["service_tier"]: row["source"] for row in found}
    assert sources == {"standard": SOURCE["source"], "batch": "elsewhere"}


def test_names_and_patterns_are_rows_at_each_provider_in_the_order_of_the_lists() -> None:
    price_lists = lists(
        tariff("a", "a", "b"),
        tariff("c", **like("^c", unlike=("x",)), versions=[], not_taken="no"),
        tariff("d", "d", listed="more"),
        providers={"maker": ("main", "more"), "shop": ("more",)},
    )
    found = [
        (row["provider"], row["list_rank"], row["place"], row["tariff_id"], row["name"])
        for row in rows(price_lists)["listed_models"]
    ]
    assert found == [
        ("maker", 0, 0, "main/a", "a"),
        ("maker", 0, 0, "main/a", "b"),
        ("maker", 0, 1, "main/c", ""),
        ("maker", 1, 0, "more/d", "d"),
        ("shop", 0, 0, "more/d", "d"),
    ]
    (pattern,) = [row for row in rows(price_lists)["listed_models"] if not row["name"]]
    assert (pattern["found"], pattern["not_found"]) == (["^c"], ["x"])
    assert {row["tariff_id"] for row in listed(price_lists)} == {"main/a", "more/d"}
