"""A model of genai-prices as a tariff: when, at which hours, in which tiers, for which lengths."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal

from schemas.catalogue.listed_tariffs import ListedTariff
from services.billing.price_lists.genai_models import Drawing, draw
from tests.unit.services.billing.price_lists.fakes import (
    DAY,
    SOURCE,
    Between,
    From,
    Model,
    Prices,
    output_prices,
    tiers,
    variant,
    when,
)

WITH_TIERS = Drawing("openai", SOURCE, DAY)


def drawn(model: Model, drawing: Drawing = WITH_TIERS) -> ListedTariff:
    tariff, _ = draw(model, model.id, drawing)
    return tariff


def output(tariff: ListedTariff, tier: str = "", above: int = 0) -> Decimal | None:
    """The price of output now."""
    version = tariff.versions[-1]
    found = version.variant_for(tier, above)
    return None if found is None else next(iter(found.prices.values())).price("output")


def test_one_price_is_one_version_from_always_on_and_says_where_it_is_from() -> None:
    tariff = drawn(Model())
    assert output_prices(tariff) == {"2000-01-01": "6"}
    assert (tariff.versions[0].source, tariff.versions[0].source_date) == (SOURCE, DAY)
    assert (tariff.tariff, tariff.names) == ("openai/m", ("m",))


def test_a_price_with_a_start_date_is_a_version_and_equal_ones_are_one() -> None:
    dated = [
        when(None, input_mtok="2", output_mtok="6"),
        when(From(date(2026, 5, 1)), input_mtok="2", output_mtok="6"),
        when(From(date(2026, 7, 30)), input_mtok="2", output_mtok="3"),
    ]
    assert output_prices(drawn(Model(prices=dated))) == {"2000-01-01": "6", "2026-07-30": "3"}


def test_a_longer_input_has_a_variant_with_each_price_of_its_length() -> None:
    tariff = drawn(
        Model(
            prices=Prices(
                input_mtok=tiers("1", above_32000="2", above_128000="3"),
                output_mtok=tiers("6", above_128000="9"),
            )
        )
    )
    assert [output(tariff, above=band) for band in (0, 32_000, 100_000, 128_000)] == [6, 6, 6, 9]
    version = tariff.versions[0]
    assert [one.above_input_tokens for one in version.all_variants] == [0, 32_000, 128_000]
    found = version.variant_for("", 100_000)
    assert found is not None and found.prices["flat"].price("uncached_input") == 2


def test_a_tier_is_priced_from_the_day_on_that_the_list_prices_it() -> None:
    batch = variant({"processing": "batch"}, From(date(2026, 10, 14)), output_mtok="3")
    tariff = drawn(Model(price_variants=[batch]))
    assert [one.valid_from.date() for one in tariff.versions][1:] == [date(2026, 10, 14)]
    assert tariff.versions[0].variant_for("batch", 0) is None
    assert output(tariff, "batch") == 3
    assert output(tariff, "flex") is None
    prices = tariff.versions[1].variant_for("batch", 0)
    assert prices is not None and prices.prices["flat"].price("uncached_input") == 2


def test_fast_is_said_in_two_ways_and_is_one_tier() -> None:
    for said in ({"speed": "fast"}, {"service_tier": "fast"}):
        assert output(drawn(Model(price_variants=[variant(said, output_mtok="12")])), "fast") == 12


def test_a_context_that_is_no_tier_of_ours_is_remarked_and_the_usual_one_is_not() -> None:
    variants = [variant({"route": "eu"}, output_mtok="7"), variant({"service_tier": "default"})]
    assert drawn(Model(price_variants=variants)).remarks == (
        "prices for route eu are not taken over",
    )
    other = variant({"service_tier": "default"}, output_mtok="5")
    assert "default" in drawn(Model(price_variants=[other])).remarks[0]


def test_hours_of_utc_that_are_priced_alike_are_periods_of_a_calendar() -> None:
    day = [
        when(None, input_mtok="1", output_mtok="2"),
        when(Between(time(1), time(4)), input_mtok="2", output_mtok="4"),
        when(Between(time(6), time(10)), input_mtok="2", output_mtok="4"),
    ]
    tariff, calendar = draw(Model(prices=day), "m", WITH_TIERS)
    assert calendar is not None and tariff.calendar == calendar.calendar
    assert calendar.zone == "UTC"
    peak = tariff.versions[0].prices["utc-01-04.06-10"].price("output")
    off_peak = tariff.versions[0].prices["utc-00-01.04-06.10-24"].price("output")
    assert (peak, off_peak) == (Decimal(4), Decimal(2))
    for hour in range(24):
        expected = "utc-01-04.06-10" if hour in (1, 2, 3, 6, 7, 8, 9) else "utc-00-01.04-06.10-24"
        assert calendar.periods_at(1, hour) == [expected]


def test_of_a_borrowed_model_only_the_standard_prices_are_known() -> None:
    model = Model(price_variants=[variant({"processing": "batch"}, output_mtok="3")])
    borrowed = Drawing("azure", SOURCE, DAY, tiers=False)
    assert output(drawn(model, borrowed), "batch") is None
    assert output(drawn(model), "batch") == 3


def test_units_that_are_not_tokens_are_priced_per_thousand() -> None:
    prices = Prices(
        input_mtok="2", output_mtok="6", web_searches_kcount="10", storage_searches_kcount="2.5"
    )
    assert drawn(Model(prices=prices)).versions[0].units == {
        "web_searches": Decimal(10),
        "file_searches": Decimal("2.5"),
    }
    heard = drawn(Model(prices=Prices(audio_hours="0.36", input_audio_hours="0.36")))
    assert heard.versions[0].units == {"audio_milliseconds": Decimal("0.0001")}
    assert heard.versions[0].prices == {} and heard.remarks == ()
    read = drawn(Model(prices=Prices(input_mchars="15", input_document_kpages="4")))
    assert read.versions[0].units == {"characters": Decimal("0.015"), "pages": Decimal(4)}


def test_what_events_cannot_tell_apart_is_remarked() -> None:
    video = drawn(Model(prices=Prices(input_mtok="2", output_mtok="6", input_video_mtok="12")))
    assert video.remarks == ("video input is billed as other input, not at 12",)


def test_what_cannot_be_taken_over_keeps_its_names_and_says_why() -> None:
    for prices, reason in (
        (Prices(), "no price in its list"),
        (Prices(input_mtok="1", requests_kcount="5"), "for each request"),
        (Prices(input_mtok="1", smell_mtok="5"), "not known here: smell_mtok"),
        (Prices(output_mtok="1"), "none for input"),
        (Prices(input_mtok=tiers("1", above_5="2")), "above 5 tokens"),
    ):
        tariff = drawn(Model(prices=prices))
        assert tariff.names == ("m",) and tariff.versions == ()
        assert tariff.not_taken is not None and reason in tariff.not_taken


def test_a_model_whose_name_says_that_it_is_free_costs_nothing() -> None:
    tariff = drawn(Model(id="llama:free", prices=Prices()))
    assert output(tariff) == 0 and tariff.remarks == ("is free, as its name says",)


def test_prices_that_begin_on_a_day_leave_the_time_before_without_one() -> None:
    dated = [
        when(From(date(2026, 1, 1)), input_mtok="2", output_mtok="6"),
        when(None),
        when(From(date(2026, 3, 1)), input_mtok="2", output_mtok="3"),
    ]
    tariff = drawn(Model(prices=dated))
    assert tariff.version_at(datetime(2026, 2, 1, tzinfo=UTC)) is None
    assert output_prices(tariff) == {"2026-03-01": "3"}
