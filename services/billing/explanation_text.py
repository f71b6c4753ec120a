"""An explanation of a price in plain words, for people who check a bill; values only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from schemas.catalogue.prices import STANDARD
from services.billing.explanation import Explanation, Place
from services.billing.tariff_prices import Clock, Priced

DAYS: Final = {
    "mon": "Monday",
    "tue": "Tuesday",
    "wed": "Wednesday",
    "thu": "Thursday",
    "fri": "Friday",
    "sat": "Saturday",
    "sun": "Sunday",
    "holiday": "a public holiday",
    "makeup_workday": "a day at a weekend that is worked on for a holiday",
}


def headline(place: Place, *, of_units: bool) -> str:
    """What usage it is: ``gpt-5 at openai in us-east, 2026-11-01 10:00 UTC, tier batch, …``.

    What is billed beside tokens (``of_units``) has no tier and no length of input.
    """
    what = "units beside tokens" if of_units else f"{_tier(place)}, {_band(place)}"
    return f"{place.model} at {place.provider} in {place.region}, {_moment(place.hour)}, {what}"


def reasons(explanation: Explanation, *, of_units: bool) -> list[str]:
    """How the price comes about, a sentence a step."""
    return list(_reasons(explanation, of_units))


def _reasons(explanation: Explanation, of_units: bool) -> Iterator[str]:
    place, chosen = explanation.place, explanation.chosen
    if not explanation.considered:
        yield f"No tariff is for the model {place.model}, so it is unpriced."
        return
    yield "Tariffs for the model:"
    for one in explanation.considered:
        labels = f"provider {one.tariff.provider}, model {one.tariff.model}"
        yield f"  {one.tariff.tariff} ({labels}, region {one.tariff.region}) {one.verdict}."
    if chosen is None:
        yield "None of them fits, so it is unpriced."
        return
    yield _version(chosen)
    if of_units:
        yield "Units have one price in all periods and tiers; without one they are unpriced."
        return
    yield _period(chosen, explanation.clock)
    yield _variant(explanation)


def _version(chosen: Priced) -> str:
    version = chosen.version
    return (
        f"Its prices of that hour hold from {_moment(version.valid_from)} on; they are from"
        f" {version.source}, looked up on {version.source_date}."
    )


def _period(chosen: Priced, clock: Clock | None) -> str:
    if clock is None:
        return "They hold at all hours: the tariff has no calendar."
    day = DAYS[clock.day_kind]
    return (
        f"Its calendar {clock.calendar} goes by the time in {clock.zone}: there the hour began on"
        f" {clock.local:%Y-%m-%d} at {clock.local:%H:%M}, {day}, which is {chosen.period}."
    )


def _variant(explanation: Explanation) -> str:
    place, chosen, variant = explanation.place, explanation.chosen, explanation.variant
    assert chosen is not None, "there is a tariff"
    if variant is None:
        reached = sorted(
            one.above_input_tokens
            for one in chosen.version.all_variants
            if one.service_tier == (place.service_tier or STANDARD)
        )
        if reached:
            return (
                f"It prices {place.service_tier} only above {reached[0]:,} input tokens, so this is"
                " unpriced."
            )
        return (
            f"It has no price for the tier {place.service_tier}, so this is unpriced: no tier is"
            " billed at the price of another."
        )
    count = len(chosen.version.all_variants)
    if count == 1:
        return "They are the same for requests of any length, and it prices no other tier."
    return f"Of its {count} sets of prices the one for {variant.name} applies."


def _tier(place: Place) -> str:
    if place.service_tier == "":
        return f"no tier reported (billed as {STANDARD})"
    return f"tier {place.service_tier}"


def _band(place: Place) -> str:
    if place.context_band == 0:
        return "input up to the first threshold"
    return f"requests with more than {place.context_band:,} input tokens"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
