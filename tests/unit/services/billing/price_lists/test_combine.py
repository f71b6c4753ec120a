"""Two readings put together: whose prices are listed, and what the other adds and denies."""

from __future__ import annotations

from typing import Any

from schemas.catalogue.listed_tariffs import ListedTariff, ListSource
from schemas.catalogue.price_lists import PriceLists
from services.billing.price_lists.combine import combined
from services.billing.price_lists.drawn import Reading
from tests.unit.services.billing.price_lists.fakes import DAY, NOW, tariff, tier, version

OURS = {"openai": "openai", "x-ai": "x_ai", "zai": "z.ai", "zhipuai": "z.ai"}
THEIRS = "litellm 1, https://a.example"


def reading(source: str, *tariffs: ListedTariff) -> Reading:
    return Reading(
        ListSource(source=source, version="1", license="MIT", first_seen=DAY), tariffs, (), ()
    )


def put_together(first: tuple[ListedTariff, ...], second: tuple[ListedTariff, ...]) -> PriceLists:
    return combined(
        reading("genai-prices", *first),
        reading("litellm", *second),
        lambda name: OURS.get(name, name),
        DAY,
    )


def theirs(model: str, output: str = "6", provider: str = "openai", **more: Any) -> ListedTariff:
    return tariff(model, version(output, source=THEIRS, **more), listed=f"litellm.{provider}")


def test_a_model_of_both_is_listed_by_the_first_and_what_the_second_denies_is_beside_it() -> None:
    lists = put_together((tariff("m"),), (theirs("m", "7"),))
    (one,) = lists.tariffs
    assert one.versions == tariff("m").versions
    assert [(d.source, d.differs) for d in one.disputes] == [("litellm 1", {"output": ("6", "7")})]


def test_a_model_of_the_second_alone_is_behind_the_lists_of_the_first() -> None:
    lists = put_together((tariff("m"),), (theirs("n"), theirs("x", provider="shop")))
    assert lists.header.providers == {
        "openai": ("openai", "litellm.openai"),
        "shop": ("litellm.shop",),
    }
    found = lists.find("openai", "n")
    assert found is not None and found.tariff == "litellm.openai/n"


def test_tiers_that_the_first_does_not_price_are_the_seconds_and_say_so() -> None:
    ours = tariff("m", version("6", variants=[tier("batch", "3")]))
    more = theirs("m", variants=[tier("batch", "3"), tier("flex", "2"), tier("flex", "4", 200_000)])
    (one,) = put_together((ours,), (more,)).tariffs
    added = [(v.service_tier, v.above_input_tokens, v.source) for v in one.versions[0].variants]
    assert added == [("batch", 0, None), ("flex", 0, THEIRS), ("flex", 200_000, THEIRS)]
    assert one.disputes == ()


def test_no_tier_is_taken_from_who_disagrees_on_the_rest_or_means_another_model() -> None:
    flex = [tier("flex", "2")]
    (denied,) = put_together((tariff("m"),), (theirs("m", "7", variants=flex),)).tariffs
    assert denied.versions[0].variants == ()
    family = tariff("family", patterns=[{"like": ["^fam"]}])
    (other,) = put_together((family,), (theirs("fam-2026", variants=flex),)).tariffs
    assert other.versions[0].variants == ()


def test_only_the_version_of_now_has_a_tier_that_the_second_prices_now() -> None:
    ours = tariff("m", version("9"), version("6", NOW.replace(month=3)))
    (one,) = put_together((ours,), (theirs("m", variants=[tier("flex", "2")]),)).tariffs
    assert [len(v.variants) for v in one.versions] == [0, 1]


def test_a_borrowed_model_is_the_same_model_by_what_stands_behind_the_colon() -> None:
    borrowed = tariff("openai:m", names=("m",), listed="x-ai")
    (one,) = put_together(
        (borrowed,), (theirs("m", provider="x_ai", variants=[tier("flex", "2")]),)
    ).tariffs
    assert len(one.versions[0].variants) == 1


def test_a_provider_of_ours_may_have_two_lists_and_two_providers_one() -> None:
    lists = put_together(
        (tariff("m", listed="zai"), tariff("n", listed="zhipuai"), tariff("g", listed="google")), ()
    )
    assert lists.header.providers["z.ai"] == ("zai", "zhipuai")
    assert lists.header.providers["gcp.vertex_ai"] == ("google",)
