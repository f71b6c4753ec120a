"""Explanations as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.catalogue import load_catalogue
from services.billing.explanation import Place, explain
from services.billing.explanation_text import headline, reasons

CATALOGUE = load_catalogue(Path(__file__).parents[3] / "integration" / "billing_catalogue")


def place(time: str, region: str, provider: str, model: str, tier: str, band: int) -> Place:
    return Place(datetime.fromisoformat(time).astimezone(UTC), region, provider, model, tier, band)


def test_a_price_by_time_of_use_and_tier_is_told_step_by_step() -> None:
    asked = place("2026-05-06T01:00Z", "utc", "deepseek", "deepseek-flash", "flex", 200_000)
    assert headline(asked, of_units=False) == (
        "deepseek-flash at deepseek in utc, 2026-05-06 01:00 UTC, tier flex, requests with more"
        " than 200,000 input tokens"
    )
    assert reasons(explain(CATALOGUE, asked), of_units=False) == [
        "Tariffs for the model:",
        "  deepseek-flash (provider deepseek, model deepseek-flash, region *) wins: it is more"
        " specific than the others.",
        "  deepseek-family (provider *, model deep*k-*, region *) fits as well, but is less"
        " specific: for models deep*k-*, and deepseek-flash names this one in full.",
        "  everything-in-new-york (provider grid, model *, region new-york) is for the provider"
        " grid.",
        "Its prices of that hour hold from 2026-01-01 00:00 UTC on; they are from test, looked up"
        " on 2026-01-01.",
        "Its calendar utc-peak goes by the time in UTC: there the hour began on 2026-05-06 at"
        " 01:00, Wednesday, which is peak.",
        "Of its 3 sets of prices the one for flex above 128,000 input tokens applies.",
    ]


@pytest.mark.parametrize(
    ("asked", "last"),
    [
        (
            place("2026-05-06T01:00Z", "utc", "deepseek", "deepseek-flash", "flex", 32_000),
            "It prices flex only above 128,000 input tokens, so this is unpriced.",
        ),
        (
            place("2026-05-06T01:00Z", "utc", "deepseek", "deepseek-flash", "batch", 0),
            "It has no price for the tier batch, so this is unpriced: no tier is billed at the"
            " price of another.",
        ),
        (
            place("2026-05-06T01:00Z", "new-york", "grid", "thing", "", 0),
            "They are the same for requests of any length, and it prices no other tier.",
        ),
        (
            place("2026-05-06T01:00Z", "utc", "grid", "thing", "", 0),
            "None of them fits, so it is unpriced.",
        ),
    ],
)
def test_what_is_unpriced_says_why(asked: Place, last: str) -> None:
    assert reasons(explain(CATALOGUE, asked), of_units=False)[-1] == last


def test_a_model_that_no_tariff_is_for_says_so() -> None:
    files = CATALOGUE.tariffs.model_copy(update={"tariffs": CATALOGUE.tariffs.tariffs[:1]})
    catalogue = CATALOGUE.model_copy(update={"tariffs": files})
    asked = place("2026-05-06T01:00Z", "utc", "grid", "thing", "", 0)
    assert reasons(explain(catalogue, asked), of_units=False) == [
        "No tariff is for the model thing, so it is unpriced."
    ]
    assert headline(asked, of_units=False).endswith(
        "no tier reported (billed as standard), input up to the first threshold"
    )


def test_a_tariff_without_a_calendar_holds_at_all_hours() -> None:
    asked = place("2026-05-06T01:00Z", "new-york", "grid", "thing", "standard", 0)
    assert "They hold at all hours: the tariff has no calendar." in reasons(
        explain(CATALOGUE, asked), of_units=False
    )


def test_units_have_no_tier_and_no_length_of_input() -> None:
    asked = place("2026-05-06T01:00Z", "utc", "deepseek", "deepseek-flash", "", 0)
    assert headline(asked, of_units=True).endswith("2026-05-06 01:00 UTC, units beside tokens")
    said = reasons(explain(CATALOGUE, asked), of_units=True)
    assert (
        said[-1] == "Units have one price in all periods and tiers; without one they are unpriced."
    )
    assert not any("calendar" in sentence for sentence in said)
