"""What `wattoken tariffs check` finds in catalogues that are wrong in one way each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.catalogue import Catalogue, load_catalogue
from services.billing.tariff_check import check

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SOURCE = {"source": "test", "source_date": "2026-01-01"}
Files = dict[str, Any]


def prices(amount: str = "1") -> Files:
    same = {"same_as": "uncached_input"}
    rest = ("cache_read", "cache_write", "output", "reasoning")
    return {"uncached_input": amount} | dict.fromkeys(rest, same)


def version(since: str = "2026-01-01", until: str = "2106-02-07", **periods: Files) -> Files:
    span = {"valid_from": f"{since}T00:00:00Z", "valid_to": f"{until}T00:00:00Z"}
    return SOURCE | span | {"prices": periods or {"flat": prices()}}


def tariff(name: str, *versions: Files, **labels: object) -> Files:
    return {"tariff": name, "provider": "p", "model": "m", "region": "*", "versions": versions} | (
        labels
    )


def sound() -> Files:
    """A catalogue with one model, one region, one price and nothing wrong."""
    model = {"patterns": ["m"], "names": ["m"], "priority": 1, "author": "a", "origin": "US"}
    region = {"region": "r", "country": "DE", "time_zone": "Europe/Berlin"}
    calendar = {
        "calendar": "c",
        "zone": "region",
        "periods": {
            "day": [{"from": 8, "to": 20}],
            "night": [{"from": 0, "to": 8}, {"from": 20, "to": 24}],
        },
    }
    return {
        "models": {
            "version": "1",
            "models": [model | {"license": "l", "provider": "p"} | SOURCE],
        },
        "regions": {
            "version": "1",
            "regions": [region | {"capacity_tokens_per_second": 1} | SOURCE],
        },
        "tariffs": {"version": "1", "tariffs": [tariff("t", version())], "demand_charges": []},
        "tou": {"version": "1", "calendars": [calendar]},
    }


def found(files: Files) -> set[tuple[str, str]]:
    findings = check(Catalogue.model_validate(files), NOW)
    return {(one.level, one.kind) for one in findings}


def test_the_shipped_catalogue_has_no_errors() -> None:
    assert [one for one in check(load_catalogue(), NOW) if one.level != "note"] == []


def test_a_sound_catalogue_has_no_findings() -> None:
    files = sound()
    assert found(files) == set()
    every = [variant(tier, above) for tier in ("batch", "flex") for above in (0, 199_999, 200_000)]
    units = {"web_searches": "10", "audio_milliseconds": "0.0001"}
    files["tariffs"]["tariffs"] = [tariff("t", with_variants(*every, units=units))]
    assert found(files) == set()


def test_a_finding_says_what_is_wrong_and_which_bands_there_are() -> None:
    files = sound()
    band_that_nothing_is_metered_in(files)
    (one,) = check(Catalogue.model_validate(files), NOW)
    assert one.entry == "t"
    assert one.message.startswith("has prices above 200,001 input tokens, where no band begins")
    assert one.message.endswith("512,000, 524,288, 1,000,000")


def no_tariffs(files: Files) -> None:
    files["tariffs"]["tariffs"] = []


def other_provider(files: Files) -> None:
    files["tariffs"]["tariffs"] = [tariff("t", version(), provider="q")]


def gap_between_versions(files: Files) -> None:
    versions = (version(until="2026-05-01"), version("2026-05-02"))
    files["tariffs"]["tariffs"] = [tariff("t", *versions)]


def overlapping_versions(files: Files) -> None:
    versions = (version(until="2026-05-02"), version("2026-05-01"))
    files["tariffs"]["tariffs"] = [tariff("t", *versions)]


def two_tariffs_for_one_model(files: Files) -> None:
    files["tariffs"]["tariffs"].append(tariff("u", version("2027-01-01"), model="M"))


def globs_of_one_length(files: Files) -> None:
    files["models"]["models"][0]["names"] = ["ab"]
    files["tariffs"]["tariffs"] = [
        tariff("t", version(), model="a*"),
        tariff("u", version(), model="*b"),
    ]


def period_without_price(files: Files) -> None:
    files["tariffs"]["tariffs"] = [tariff("t", version(day=prices()), calendar="c")]


def calendar_with_gap(files: Files) -> None:
    files["tou"]["calendars"][0]["periods"]["night"].pop()


def calendar_with_overlap(files: Files) -> None:
    files["tou"]["calendars"][0]["periods"]["day"][0]["to"] = 21


def with_holidays(files: Files, until: str = "2027-12-31") -> Files:
    days = ["2026-05-01", "2027-05-01"] if until > "2027" else ["2026-05-01"]
    span = {"covers_from": "2026-01-01", "covers_to": until, "days_off": days}
    files["tou"]["holidays"] = [SOURCE | span | {"holidays": "h"}]
    calendar: Files = files["tou"]["calendars"][0] | {"holidays": "h"}
    files["tou"]["calendars"][0] = calendar
    periods: Files = calendar["periods"]
    return periods


def holidays_with_gap(files: Files) -> None:
    week = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    with_holidays(files)["night"][0]["weekdays"] = week


def holidays_without_a_price(files: Files) -> None:
    """In a week from the change of price on there is no holiday."""
    week = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    periods = with_holidays(files)
    for spans in periods.values():
        for span in spans:
            span["weekdays"] = week
    periods["feast"] = [{"from": 0, "to": 24, "weekdays": ["holiday"]}]
    files["tariffs"]["tariffs"] = [tariff("t", version(day=prices(), night=prices()), calendar="c")]


def holidays_after_their_price(files: Files) -> None:
    with_holidays(files)
    both = version("2025-01-01", day=prices(), night=prices())
    files["tariffs"]["tariffs"] = [tariff("t", both, calendar="c")]


def a_year_without_holidays(files: Files) -> None:
    with_holidays(files, "2028-12-31")


def holidays_that_end_soon(files: Files) -> None:
    with_holidays(files, "2026-12-01")


def holidays_that_ended(files: Files) -> None:
    with_holidays(files, "2026-10-31")


def rate(day: str, pair: tuple[str, str] = ("CNY", "USD")) -> Files:
    return SOURCE | {"from": pair[0], "to": pair[1], "date": day, "rate": "0.14"}


def prices_in_yuan(files: Files) -> None:
    files["tariffs"]["tariffs"] = [tariff("t", version() | {"currency": "CNY"})]


def rates_that_ended(files: Files) -> None:
    rates = [rate("2026-10-24"), rate("2026-09-01"), rate("2026-10-26", ("EUR", "USD"))]
    files["rates"] = {"version": "1", "rates": rates}


def half_hour(files: Files) -> None:
    files["regions"]["regions"][0]["time_zone"] = "Asia/Kolkata"


def zero(files: Files) -> None:
    files["tariffs"]["tariffs"] = [tariff("t", version(flat=prices("0")))]


def variant(tier: str, above: int = 0, amount: str = "1") -> Files:
    return {
        "service_tier": tier,
        "above_input_tokens": above,
        "prices": {"flat": prices(amount)},
    }


def with_variants(*variants: Files, **more: object) -> Files:
    return version() | {"variants": variants} | more


def band_that_nothing_is_metered_in(files: Files) -> None:
    files["tariffs"]["tariffs"] = [tariff("t", with_variants(variant("standard", 200_001)))]


def tier_without_a_price_for_short_input(files: Files) -> None:
    files["tariffs"]["tariffs"] = [tariff("t", with_variants(variant("batch", 200_000)))]


def tier_without_a_price_any_more(files: Files) -> None:
    had = version(until="2026-05-01") | {"variants": [variant("batch")]}
    files["tariffs"]["tariffs"] = [tariff("t", had, version("2026-05-01"))]


def variant_at_zero(files: Files) -> None:
    files["tariffs"]["tariffs"] = [tariff("t", with_variants(variant("batch", amount="0")))]


def unit_at_zero(files: Files) -> None:
    files["tariffs"]["tariffs"] = [tariff("t", with_variants(units={"pages": "0"}))]


def demand_charge(name: str, since: str = "2026-01-01") -> Files:
    span = {"demand_charge": name, "region": "*", "valid_from": f"{since}T00:00:00Z"}
    return SOURCE | span | {"usd_per_token_per_second": "1"}


def two_demand_charges(files: Files) -> None:
    files["tariffs"]["demand_charges"] = [demand_charge("a"), demand_charge("b")]


def demand_in_mid_month(files: Files) -> None:
    files["tariffs"]["demand_charges"] = [demand_charge("a", "2026-01-02")]


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (no_tariffs, {("error", "no_price")}),
        (other_provider, {("error", "no_price")}),
        (gap_between_versions, {("error", "price_gap")}),
        (overlapping_versions, {("error", "price_overlap"), ("error", "price_ambiguous")}),
        (two_tariffs_for_one_model, {("error", "price_overlap"), ("error", "price_ambiguous")}),
        (globs_of_one_length, {("error", "price_ambiguous")}),
        (period_without_price, {("error", "no_price"), ("error", "price_gap")}),
        (calendar_with_gap, {("error", "calendar_gap")}),
        (calendar_with_overlap, {("error", "calendar_overlap")}),
        (holidays_with_gap, {("error", "calendar_gap")}),
        (holidays_without_a_price, {("error", "price_gap")}),
        (holidays_after_their_price, {("warning", "holidays_begin")}),
        (a_year_without_holidays, {("warning", "holidays_missing")}),
        (holidays_that_end_soon, {("warning", "holidays_end")}),
        (holidays_that_ended, {("warning", "holidays_end")}),
        (prices_in_yuan, {("note", "no_rates")}),
        (rates_that_ended, {("warning", "rates_end")}),
        (half_hour, {("warning", "half_hour_zone")}),
        (zero, {("warning", "price_zero")}),
        (variant_at_zero, {("warning", "price_zero")}),
        (unit_at_zero, {("warning", "price_zero")}),
        (band_that_nothing_is_metered_in, {("error", "band_not_metered")}),
        (tier_without_a_price_for_short_input, {("error", "class_gap")}),
        (tier_without_a_price_any_more, {("warning", "tier_dropped")}),
        (two_demand_charges, {("error", "demand_overlap")}),
        (demand_in_mid_month, {("warning", "demand_mid_month")}),
    ],
)
def test_each_fault_is_found(
    spoil: Callable[[Files], None], expected: set[tuple[str, str]]
) -> None:
    files = sound()
    spoil(files)
    kinds = found(files)
    assert kinds and kinds <= expected, kinds
    assert len(kinds) == len(expected) or spoil is period_without_price


def test_holidays_that_are_known_for_long_are_no_finding() -> None:
    files = sound()
    with_holidays(files)
    assert found(files) == set()
    del files["tou"]["calendars"][0]["holidays"]
    files["tou"]["holidays"][0] |= {"covers_to": "2026-10-31", "days_off": ["2026-05-01"]}
    assert found(files) == set(), "nobody goes by them"


def test_prices_in_a_currency_with_a_rate_of_these_days_are_no_finding() -> None:
    files = sound()
    prices_in_yuan(files)
    files["rates"] = {"version": "1", "rates": [rate("2026-10-25"), rate("2026-01-01")]}
    assert found(files) == set()


def test_a_model_may_be_unpriced_by_choice() -> None:
    files = sound()
    no_tariffs(files)
    files["tariffs"]["unpriced"] = [{"model": "m", "reason": "free"}]
    assert found(files) == {("note", "unpriced_by_choice")}
