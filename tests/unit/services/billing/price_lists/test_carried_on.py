"""Price lists that go on: nothing that was billed by is forgotten."""

from __future__ import annotations

from datetime import date

from schemas.catalogue.listed_tariffs import ListedTariff, ListSource
from schemas.catalogue.price_lists import PriceLists
from services.billing.price_lists.carried_on import carried_on
from tests.unit.services.billing.price_lists.fakes import (
    DAY,
    lists,
    output_prices,
    tariff,
    version,
)

LATER = date(2026, 12, 27)


def prices(price_lists: PriceLists) -> dict[str, dict[str, str]]:
    return {one.tariff: output_prices(one) for one in price_lists.tariffs}


def test_nothing_new_changes_nothing() -> None:
    before = lists(tariff("a"), tariff("b"))
    assert carried_on(before, lists(tariff("a"), tariff("b")), LATER) == before
    assert carried_on(PriceLists(), before, DAY) == before


def test_a_price_that_changed_is_a_new_version() -> None:
    after = carried_on(lists(tariff("a")), lists(tariff("a", version("3"))), LATER)
    assert prices(after) == {"openai/a": {"2000-01-01": "6", "2026-12-27": "3"}}


def test_a_model_that_is_gone_keeps_its_price_and_its_place_and_says_since_when() -> None:
    before = lists(tariff("a"), tariff("b", version("1")), tariff("c"))
    after = carried_on(before, lists(tariff("new"), tariff("a"), tariff("c")), LATER)
    assert [one.model for one in after.tariffs] == ["new", "a", "b", "c"]
    assert after.tariffs[2].remarks == ("its list has it no more since 2026-12-27",)
    again = carried_on(after, lists(tariff("new"), tariff("a"), tariff("c")), date(2027, 1, 30))
    assert again == after
    back = carried_on(after, before, date(2027, 1, 30))
    assert next(one for one in back.tariffs if one.model == "b").remarks == ()


def test_what_is_gone_and_had_no_price_is_gone() -> None:
    free = ListedTariff(list="openai", model="f", names=("f",), not_taken="is free")
    assert prices(carried_on(lists(tariff("a"), free), lists(tariff("a")), LATER)) == {
        "openai/a": {"2000-01-01": "6"}
    }


def test_a_list_that_is_gone_stays_its_providers() -> None:
    before = lists(tariff("a"), tariff("s", listed="shop"))
    after = carried_on(before, lists(tariff("a")), LATER)
    found = after.find("shop", "s")
    assert found is not None and output_prices(found) == {"2000-01-01": "6"}


def test_a_model_that_comes_to_have_a_tariff_of_its_own_goes_on_from_what_it_was_billed_by() -> (
    None
):
    family = tariff("family", version("9"), patterns=[{"like": ["^fam"]}])
    own = tariff("fam-mini", version("1"))
    after = carried_on(lists(family), lists(own, family), LATER)
    assert prices(after)["openai/fam-mini"] == {"2000-01-01": "9", "2026-12-27": "1"}


def test_a_model_that_the_first_source_takes_over_from_the_second_has_one_tariff() -> None:
    before = lists(tariff("a", version("9"), listed="litellm.openai"))
    after = carried_on(before, lists(tariff("a", version("6"))), LATER)
    assert prices(after) == {"openai/a": {"2000-01-01": "9", "2026-12-27": "6"}}


def source(version_: str, first_seen: date) -> ListSource:
    return ListSource(source="p", version=version_, license="MIT", first_seen=first_seen)


def test_a_version_of_a_source_is_known_since_it_was_first_seen() -> None:
    before = lists(tariff("a"), sources=(source("1", DAY),))
    same = carried_on(before, lists(tariff("a"), sources=(source("1", LATER),)), LATER)
    assert same.header.sources == (source("1", DAY),)
    newer = carried_on(before, lists(tariff("a"), sources=(source("2", LATER),)), LATER)
    assert newer.header.sources == (source("2", LATER),)
