"""Why usage costs what it does: every tariff for the model is told apart."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from schemas.catalogue import load_catalogue
from services.billing.explanation import Place, explain

CATALOGUE = load_catalogue(Path(__file__).parents[3] / "integration" / "billing_catalogue")


def at(time: str, region: str, provider: str, model: str, tier: str = "", band: int = 0) -> Place:
    return Place(datetime.fromisoformat(time).astimezone(UTC), region, provider, model, tier, band)


def verdicts(place: Place) -> list[tuple[str, str]]:
    return [(one.tariff.tariff, one.verdict) for one in explain(CATALOGUE, place).considered]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (
            at("2026-05-06T01:00Z", "utc", "deepseek", "deepseek-flash"),
            [
                ("deepseek-flash", "wins: it is more specific than the others"),
                (
                    "deepseek-family",
                    "fits as well, but is less specific: for models deep*k-*, and deepseek-flash"
                    " names this one in full",
                ),
                ("everything-in-new-york", "is for the provider grid"),
            ],
        ),
        (
            at("2026-05-06T01:00Z", "utc", "other", "deepseek-flash"),
            [
                ("deepseek-family", "wins: no other one fits"),
                ("deepseek-flash", "is for the provider deepseek"),
                ("everything-in-new-york", "is for the provider grid"),
            ],
        ),
        (
            at("2026-07-15T14:00Z", "utc", "openai", "gpt-5.6-luna"),
            [
                ("luna", "has no price then: the next holds from 2026-07-15 15:00 UTC on"),
                ("everything-in-new-york", "is for the provider grid"),
            ],
        ),
        (
            at("2026-07-29T16:00Z", "new-york", "grid", "office-model"),
            [
                ("offices", "wins: it is more specific than the others"),
                (
                    "offices-by-day",
                    "fits as well, but is less specific: for any provider, and offices is for grid",
                ),
                (
                    "everything-in-new-york",
                    "fits as well, but is less specific: for models *, and offices names this one"
                    " in full",
                ),
            ],
        ),
        (
            at("2026-07-28T22:00Z", "berlin", "grid", "office-model"),
            [
                ("offices", "has no price for the period closed of its calendar"),
                ("offices-by-day", "has no price for the period night of its calendar"),
                ("everything-in-new-york", "is for the region new-york"),
            ],
        ),
        (
            at("2026-05-06T12:00Z", "nowhere", "grid", "night_model"),
            [
                ("nights", "goes by the time in the region, which the catalogue does not know"),
                ("nights-in-kolkata", "is for the region kolkata"),
                ("everything-in-new-york", "is for the region new-york"),
            ],
        ),
        (
            at("2026-05-06T20:00Z", "kolkata", "grid", "night_model"),
            [
                ("nights", "wins: it is more specific than the others"),
                (
                    "nights-in-kolkata",
                    "fits as well, but is less specific: for any provider, and nights is for grid",
                ),
                ("everything-in-new-york", "is for the region new-york"),
            ],
        ),
        (
            at("2026-05-06T20:00Z", "berlin", "nobody", "unheard-of"),
            [("everything-in-new-york", "is for the provider grid")],
        ),
    ],
)
def test_each_tariff_for_the_model_is_told_apart(
    place: Place, expected: list[tuple[str, str]]
) -> None:
    assert verdicts(place) == expected


def test_a_price_that_ended_says_when() -> None:
    (deepseek, *_) = CATALOGUE.tariffs.tariffs
    ended = deepseek.versions[0].model_copy(update={"valid_to": datetime(2026, 5, 1, tzinfo=UTC)})
    tariffs = (deepseek.model_copy(update={"versions": (ended,)}),)
    files = CATALOGUE.tariffs.model_copy(update={"tariffs": tariffs})
    catalogue = CATALOGUE.model_copy(update={"tariffs": files})
    place = at("2026-05-06T01:00Z", "utc", "deepseek", "deepseek-flash")
    (only,) = explain(catalogue, place).considered
    assert only.verdict == "has no price any more: the last held until 2026-05-01 00:00 UTC"


def test_the_price_of_a_class_is_that_of_the_variant_and_of_what_it_is_billed_as() -> None:
    luna = explain(CATALOGUE, at("2026-07-20T10:00Z", "utc", "openai", "gpt-5.6-luna", "", 200_000))
    assert luna.variant is not None and luna.variant.above_input_tokens == 128_000
    reasoning = luna.price_of("reasoning", "")
    assert (reasoning.price, reasoning.billed_as) == (Decimal(4), "output")
    audio = luna.price_of("audio_input", "")
    assert (audio.price, audio.billed_as) == (Decimal("0.75"), "uncached_input")
    assert luna.price_of("", "web_searches").price == 10
    assert luna.price_of("", "pages").price is None
    priority = explain(
        CATALOGUE, at("2026-07-20T10:00Z", "utc", "openai", "gpt-5.6-luna", "priority")
    )
    assert priority.chosen is not None and priority.variant is None
    assert priority.price_of("output", "").price is None
    assert priority.price_of("", "file_searches").price == Decimal("2.5")
    nobody = explain(CATALOGUE, at("2026-07-20T10:00Z", "utc", "nobody", "unheard-of"))
    assert nobody.price_of("output", "").price is None
    with pytest.raises(ValueError, match="'outptu' is no token class: uncached_input"):
        luna.price_of("outptu", "")


def test_the_clock_of_the_calendar_that_won_is_shown() -> None:
    place = at("2026-11-01T09:00Z", "new-york", "grid", "office-model")
    clock = explain(CATALOGUE, place).clock
    assert clock is not None
    assert (clock.zone, clock.day_kind, clock.periods) == (
        *("America/New_York", "holiday", ("festive",)),
    )
    assert f"{clock.local:%Y-%m-%d %H:%M}" == "2026-11-01 04:00"
