"""What two sources disagree about."""

from __future__ import annotations

from datetime import UTC, datetime

from schemas.catalogue.listed_tariffs import ListedTariff, ListedVersion
from services.billing.price_lists.disputes import agree_on_tokens, dispute
from tests.unit.services.billing.price_lists.fakes import NOW, tariff, tier, version


def differs(ours: ListedVersion, theirs: ListedVersion) -> dict[str, tuple[str, str]]:
    other = tariff("m", theirs, listed="litellm.openai")
    found = dispute(tariff("m", ours), other, NOW)
    return {} if found is None else found.differs


def test_equal_prices_are_no_dispute_and_an_unequal_one_is_named_with_both() -> None:
    assert differs(version("6"), version("6.00")) == {}
    assert differs(version("6"), version("7")) == {"output": ("6", "7")}


def test_a_class_that_only_one_prices_apart_is_disputed_if_the_other_bills_it_otherwise() -> None:
    apart = version("6").prices["flat"].model_dump() | {"cache_write_1h": "3"}
    with_hour = version("6").model_copy(
        update={"prices": version("6", prices={"flat": apart}).prices}
    )
    assert differs(version("6"), with_hour) == {"cache_write_1h": ("2", "3")}
    assert differs(with_hour, version("6")) == {"cache_write_1h": ("3", "2")}


def test_tiers_and_lengths_that_both_price_are_compared_and_those_of_one_are_not() -> None:
    ours = version("6", variants=[tier("batch", "3"), tier("standard", "9", 200_000)])
    theirs = version("6", variants=[tier("batch", "4"), tier("flex", "1")])
    assert differs(ours, theirs) == {
        "batch output": ("3", "4"),
        "output above 200,000 input tokens": ("9", "6"),
    }


def test_units_that_both_price_are_compared_and_those_of_one_are_not() -> None:
    ours = version("6", units={"web_searches": "10", "pages": "1"})
    theirs = version("6", units={"web_searches": "14", "images": "5"})
    assert differs(ours, theirs) == {"web_searches": ("10", "14")}
    both = tariff("m", ours), tariff("m", theirs)
    assert agree_on_tokens(*both, NOW)
    assert not agree_on_tokens(tariff("m", version("7")), both[1], NOW)


def test_of_prices_by_the_hour_any_may_be_the_one_that_the_other_source_knows() -> None:
    periods = {"utc-00-12": version("4").prices["flat"], "utc-12-24": version("8").prices["flat"]}
    by_hour = version("4").model_copy(update={"prices": periods})
    assert differs(by_hour, version("8")) == {}
    assert differs(by_hour, version("5")) in ({"output": ("4", "5")}, {"output": ("8", "5")})


def test_only_prices_of_now_are_compared() -> None:
    ours = tariff("m", version("5"), version("6", datetime(2026, 5, 1, tzinfo=UTC)))
    assert dispute(ours, tariff("m", version("6")), NOW) is None
    nothing = ListedTariff(list="openai", model="m", names=("m",), not_taken="free")
    assert dispute(nothing, tariff("m"), NOW) is None


def test_a_dispute_names_the_package_and_its_tariff() -> None:
    other = tariff(
        "m", version("7", source="litellm 1, https://a.example"), listed="litellm.openai"
    )
    found = dispute(tariff("m"), other, NOW)
    assert found is not None
    assert (found.source, found.name) == ("litellm 1", "litellm.openai/m")
