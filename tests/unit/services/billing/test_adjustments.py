"""Adjustments come to what was charged, whichever of their events are known."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.catalogue import TOKEN_CLASSES
from services.billing.adjustments import (
    CLASS_MEASURES,
    AdjustingEvent,
    Charge,
    Place,
    priced_adjustments,
)
from services.billing.exact import total

HOUR = datetime(2026, 5, 6, 7, tzinfo=UTC)
PLACE = Place(HOUR, "us-east", "openai", "gpt-5.6-luna", "credit", "batch", 200_000)
PLAIN = replace(PLACE, service_tier="", context_band=0)


def event(name: str, place: Place = PLACE, **measures: int) -> AdjustingEvent:
    names = [name for name in ("web_searches", "pages") if name in measures]
    units: dict[str, int] = {name: measures.pop(name) for name in names}
    return AdjustingEvent(
        *(place, place.hour + timedelta(minutes=5), name, "desk", f"req-{name}", "broke off"),
        measures,
        units,
    )


def charge(what: str, quantity: int, price: str | None = "2", **labels: Any) -> Charge:
    """A charge as the view has it."""
    place = labels.pop("place", PLACE)
    is_unit = what in ("web_searches", "pages")
    amount = None
    if price is not None:
        per = Fraction(1, 1000 if is_unit else 1_000_000)
        exact = quantity * Fraction(price) * per * (-1 if place.entry == "credit" else 1)
        amount = Decimal(exact.numerator) / exact.denominator
    plain = Charge(place, what, is_unit, quantity, "" if price is None else "USD", None, amount)
    return replace(plain, price=None if price is None else Decimal(price), **labels)


def test_an_event_is_priced_as_its_charge_by_token_class() -> None:
    charges = [charge("uncached_input", 100, "2"), charge("output", 30, "8")]
    (one,) = priced_adjustments([event("a", input_tokens=100, output_tokens=30)], charges)
    assert (one.event_id, one.adjusts, one.reason) == ("a", "req-a", "broke off")
    assert (one.tokens, one.currency) == (130, "USD")
    assert one.amount == Decimal("-0.00044") == total(c.amount or Decimal(0) for c in charges)


def test_events_of_one_hour_share_its_charge_by_their_tokens() -> None:
    events = [event("a", output_tokens=10), event("b", output_tokens=20)]
    found = priced_adjustments(events, [charge("output", 30)])
    assert [(one.event_id, one.amount) for one in found] == [
        ("a", Decimal("-0.00002")),
        ("b", Decimal("-0.00004")),
    ]


def test_what_no_event_tells_of_is_left_over() -> None:
    found = priced_adjustments(
        [event("a", output_tokens=10)], [charge("output", 30), charge("reasoning", 5)]
    )
    assert [(one.event_id, one.tokens, one.amount) for one in found] == [
        (None, 25, Decimal("-0.00005")),
        ("a", 10, Decimal("-0.00002")),
    ]


def test_an_event_that_is_not_charged_yet_is_left_out() -> None:
    found = priced_adjustments(
        [event("a", output_tokens=10), event("b", output_tokens=31)], [charge("output", 30)]
    )
    assert [(one.event_id, one.tokens) for one in found] == [(None, 20), ("a", 10)]


def test_an_event_of_another_class_of_price_takes_nothing_of_this() -> None:
    other = replace(PLACE, service_tier="flex")
    found = priced_adjustments([event("a", other, output_tokens=10)], [charge("output", 10)])
    assert [one.event_id for one in found] == [None]


def test_units_are_charged_without_a_class() -> None:
    charges = [charge("web_searches", 12, "10", place=PLAIN), charge("output", 1)]
    (one,) = priced_adjustments([event("a", output_tokens=1, web_searches=12)], charges)
    assert (one.tokens, one.amount) == (1, Decimal("-0.120002"))


def test_what_is_unpriced_has_no_amount_and_what_has_no_quantity_none_either() -> None:
    found = priced_adjustments(
        [event("a", output_tokens=10), event("b")],
        [charge("output", 15, None)],
    )
    assert [(one.event_id, one.currency, one.amount) for one in found] == [
        (None, "", None),
        ("a", "", None),
        ("b", "", Decimal(0)),
    ]


def test_a_debit_is_above_nothing() -> None:
    debit = replace(PLACE, entry="debit")
    (one,) = priced_adjustments(
        [event("a", debit, output_tokens=10)], [charge("output", 10, place=debit)]
    )
    assert (one.entry, one.amount) == ("debit", Decimal("0.00002"))


def test_each_token_is_in_exactly_one_class() -> None:
    assert set(CLASS_MEASURES) == set(TOKEN_CLASSES)
    measures = {
        "input_tokens": 1000,
        "cache_read_input_tokens": 300,
        "cache_write_input_tokens": 200,
        "cache_write_5m_input_tokens": 50,
        "cache_write_1h_input_tokens": 70,
        "audio_input_tokens": 90,
        "image_input_tokens": 60,
        "cache_read_audio_input_tokens": 40,
        "cache_read_image_input_tokens": 20,
        "output_tokens": 500,
        "reasoning_output_tokens": 100,
        "audio_output_tokens": 30,
        "image_output_tokens": 10,
    }
    found = {what: n for (_, what), n in event("a", PLACE, **measures).quantities.items()}
    assert sum(found.values()) == 1500
    assert found == {
        **{"uncached_input": 410, "cache_read": 240, "cache_write": 80, "cache_write_5m": 50},
        **{"cache_write_1h": 70, "audio_input": 50, "image_input": 40, "cache_read_audio": 40},
        **{"cache_read_image": 20, "output": 360, "reasoning": 100, "audio_output": 30},
        **{"image_output": 10},
    }


tokens = st.integers(0, 10**12)
events = st.lists(
    st.tuples(
        st.sampled_from(["credit", "debit"]),
        st.sampled_from(["", "batch"]),
        st.integers(0, 1),
        *(tokens, tokens, st.integers(0, 50)),
        st.booleans(),
    ),
    max_size=12,
)
PRICES = {"uncached_input": "1.000000007", "output": "3", "web_searches": "10", "batch": "0.3"}


@given(events, st.permutations(range(12)))
def test_adjustments_are_all_that_was_charged(given: list[Any], order: list[int]) -> None:
    """Whichever events are known, in any order: amounts and tokens by entry are the charges'."""
    sums: dict[tuple[Place, str], int] = defaultdict(int)
    known = []
    for number, (entry, tier, hour, inputs, outputs, searches, told) in enumerate(given):
        place = Place(HOUR + timedelta(hours=hour), "r", "p", "m", entry, tier, 0)
        made = event(
            f"{number}", place, input_tokens=inputs, output_tokens=outputs, web_searches=searches
        )
        for key, quantity in made.quantities.items():
            sums[key] += quantity
        if told:
            known.append(made)
    charges = [
        charge(what, quantity, PRICES[place.service_tier or what], place=place)
        for (place, what), quantity in sums.items()
    ]
    known = [known[place] for place in order if place < len(known)]
    found = priced_adjustments(known, charges)
    for entry in ("credit", "debit"):
        mine = [one for one in found if one.entry == entry]
        theirs = [one for one in charges if one.place.entry == entry]
        amounts = (one.amount for one in mine if one.amount is not None)
        assert total(amounts) == total(one.amount or Decimal(0) for one in theirs)
        tokens = sum(one.quantity for one in theirs if not one.is_unit)
        assert sum(one.tokens for one in mine) == tokens
    assert {one.event_id for one in found} >= {one.event_id for one in known}
