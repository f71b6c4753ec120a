"""Which listed prices a tariff by hand goes before."""

from __future__ import annotations

from typing import Any

from schemas.catalogue import Catalogue
from schemas.catalogue.listed_tariffs import ListedTariff
from services.billing.price_lists.overrides import Override, overrides
from tests.unit.services.billing.price_lists.fakes import NOW, lists, tariff, tier, version
from tests.unit.services.billing.test_tariff_check import sound
from tests.unit.services.billing.test_tariff_check import tariff as by_hand
from tests.unit.services.billing.test_tariff_check import version as held


def found(own: dict[str, Any], *listed: ListedTariff) -> list[Override]:
    files = sound()
    files["tariffs"]["tariffs"] = [own]
    files["price_lists"] = lists(*listed)
    return list(overrides(Catalogue.model_validate(files), NOW))


def test_a_tariff_by_hand_goes_before_the_list_of_its_provider() -> None:
    own = by_hand("own", held(), provider="openai", model="M")
    (one,) = found(own, tariff("m"), tariff("m", listed="shop"))
    assert (one.by_hand, one.listed) == ("own", "openai/m")
    assert one.differs == ("uncached_input 1 by hand, 2 listed",)


def test_for_any_provider_it_goes_before_all_lists_and_a_glob_before_all_names() -> None:
    own = by_hand("own", held(), provider="*", model="m*")
    assert [one.listed for one in found(own, tariff("m1"), tariff("m2", listed="shop"))] == [
        "openai/m1",
        "shop/m2",
    ]


def test_tiers_that_only_the_list_prices_are_told() -> None:
    own = by_hand("own", held(), provider="openai", model="m")
    (one,) = found(own, tariff("m", version("6", variants=[tier("batch", "3")])))
    assert one.tiers_missing == ("batch",)


def test_what_does_not_hold_now_or_has_no_listed_price_goes_before_nothing() -> None:
    past = by_hand("own", held(until="2026-02-01"), provider="openai", model="m")
    assert found(past, tariff("m")) == []
    own = by_hand("own", held(), provider="openai", model="other")
    assert found(own, tariff("m")) == []
