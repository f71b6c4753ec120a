"""Which tariff of the price lists a model has, and what lists may not say."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.catalogue import load_catalogue
from schemas.catalogue.listed_tariffs import ListedTariff, ListedVersion, NamePattern
from schemas.catalogue.price_lists import PriceLists, spellings

SOURCE = {"source": "a list", "source_date": "2026-11-26"}
PRICES = {
    "uncached_input": "2",
    "cache_read": {"same_as": "uncached_input"},
    "cache_write": {"same_as": "uncached_input"},
    "output": "6",
    "reasoning": {"same_as": "output"},
}
VERSION: dict[str, Any] = {**SOURCE, "prices": {"flat": PRICES}}


def tariff(model: str, *names: str, listed: str = "main", **more: Any) -> dict[str, Any]:
    one = {"list": listed, "model": model, "names": names, "versions": [VERSION]}
    return one | more


def lists(*tariffs: dict[str, Any], **header: Any) -> PriceLists:
    header.setdefault("providers", {"maker": ("main",)})
    return PriceLists.model_validate({"header": header, "tariffs": tariffs})


def found(price_lists: PriceLists, model: str, provider: str = "maker") -> str | None:
    one = price_lists.find(provider, model)
    return None if one is None else one.model


def like(*patterns: str, unlike: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"patterns": [{"like": patterns, "unlike": unlike}]}


def test_of_the_tariffs_that_fit_a_name_the_first_of_the_list_wins() -> None:
    family = tariff("family", **like("^big"))
    price_lists = lists(tariff("big-mini", "big-mini"), family, tariff("late", "big-late"))
    assert found(price_lists, "big-mini") == "big-mini"
    assert found(price_lists, "big-late") == "family"
    assert found(price_lists, "BIG-anything") == "family"
    assert found(price_lists, "small") is None


def test_patterns_are_found_together_and_none_that_must_not_be() -> None:
    speech = tariff("voice", **like("^flash", r"-\d{4}$", unlike=("-tts",)))
    price_lists = lists(speech)
    assert found(price_lists, "flash-2026") == "voice"
    assert found(price_lists, "flash") is None
    assert found(price_lists, "flash-tts-2026") is None


def test_a_date_is_looked_for_as_it_is_and_then_with_dashes() -> None:
    price_lists = lists(tariff("dashed", "m-2025-12-11"), tariff("compact", "n-20251211"))
    assert found(price_lists, "M-20251211") == "dashed"
    assert found(price_lists, "n-20251211") == "compact"
    assert spellings("m-20251211:free") == ("m-20251211:free", "m-2025-12-11:free")
    assert spellings("m-20251311") == ("m-20251311",)


def test_a_provider_has_its_lists_in_their_order_and_no_others() -> None:
    price_lists = lists(
        tariff("first", "m"),
        tariff("second", "m", "n", listed="more"),
        tariff("other", "x", listed="others"),
        providers={"maker": ("main", "more"), "shop": ("others",)},
    )
    assert (found(price_lists, "m"), found(price_lists, "n")) == ("first", "second")
    assert found(price_lists, "x") is None
    assert found(price_lists, "x", "Shop") == "other"
    assert found(price_lists, "m", "nobody") is None


def test_a_model_whose_price_was_not_taken_has_not_that_of_one_behind_it() -> None:
    blocked = tariff("sonar", "sonar", versions=[], not_taken="costs something for each request")
    price_lists = lists(blocked, tariff("family", **like("sonar")))
    one = price_lists.find("maker", "sonar")
    assert one is not None and not one.versions


def test_a_version_that_prices_units_only_has_no_price_of_tokens_in_any_tier() -> None:
    version = ListedVersion.model_validate({**SOURCE, "units": {"pages": "4"}})
    assert version.all_variants == ()
    assert version.variant_for("", 0) is None
    assert version.periods == ("flat",)
    assert version.units == {"pages": Decimal(4)}


def test_days_and_moments_with_a_zone_can_be_read_from_text() -> None:
    version = ListedVersion.model_validate(
        VERSION | {"valid_from": "2026-08-17", "valid_to": "2026-09-10T12:00:00+08:00"}
    )
    assert version.valid_from == datetime(2026, 8, 17, tzinfo=UTC)
    assert version.valid_to == datetime(2026, 9, 10, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (tariff("m"), "no name and no pattern"),
        (tariff("m", "m", versions=[]), "needs versions, or a reason"),
        (tariff("m", "m", not_taken="no"), "needs versions, or a reason"),
        (tariff("m", "m", versions=[VERSION, VERSION]), "two versions hold at 2000-01-01"),
        (tariff("m", "m", calendar="c"), "no calendar c"),
        (tariff("m", **like("(")), "no regular expression"),
        (tariff("m", **like("^(?!x)m")), "looks around"),
        (tariff("m", patterns=[{}]), "needs like or unlike"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        lists(wrong)


def test_ids_are_unique_and_no_list_is_named_that_is_not_there() -> None:
    with pytest.raises(ValidationError, match="main/m is there twice"):
        lists(tariff("m", "m"), tariff("m", "n"))
    with pytest.raises(ValidationError, match="no price list gone"):
        lists(tariff("m", "m"), providers={"maker": ("gone",)})


def test_groups_that_look_around_are_told_from_plain_ones() -> None:
    assert NamePattern(like=("^(?:a|b)-x",)).matches("b-x")
    with pytest.raises(ValidationError):
        NamePattern(like=("(?<=a)b",))


def test_the_id_of_a_listed_tariff_cannot_be_one_of_a_tariff_by_hand() -> None:
    assert ListedTariff.model_validate(tariff("gpt-5", "gpt-5", listed="openai")).tariff == (
        "openai/gpt-5"
    )


def test_what_some_models_have_is_found_alike_without_the_rest() -> None:
    whole = load_catalogue().price_lists
    models = [
        *[("openai", "gpt-5"), ("OpenAI", "gpt-5.2-20251211"), ("anthropic", "claude-opus-5-5")],
        *[("azure", "gpt-5"), ("perplexity", "sonar"), ("deepseek", "deepseek-flash")],
        *[("nobody", "gpt-5"), ("openai", "no-such-model")],
    ]
    some = whole.of(models)
    assert 0 < len(some.tariffs) <= len(models) < len(whole.tariffs)
    for series in models:
        assert some.find(*series) == whole.find(*series), series
    assert whole.of([]).tariffs == ()
