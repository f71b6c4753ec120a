"""Which price holds: the most specific of those that fit."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from schemas.catalogue import TokenClass, load_catalogue
from services.billing.tariff_prices import fitting_at, prices_at, tariffs_of

CATALOGUE = load_catalogue(Path(__file__).parents[3] / "integration" / "billing_catalogue")


@pytest.mark.parametrize(
    ("region", "provider", "model", "time", "expected"),
    [
        ("utc", "deepseek", "deepseek-flash", "2026-05-06T00:59Z", ("deepseek-flash", "off_peak")),
        ("utc", "deepseek", "deepseek-flash", "2026-05-06T01:00Z", ("deepseek-flash", "peak")),
        ("utc", "deepseek", "deepseek-flash", "2026-05-06T04:00Z", ("deepseek-flash", "off_peak")),
        ("utc", "other", "deepseek-flash", "2026-05-06T01:00Z", ("deepseek-family", "flat")),
        ("utc", "openai", "gpt-5.6-luna", "2026-07-15T12:59Z", ("luna", "flat")),
        ("utc", "openai", "gpt-5.6-luna", "2026-07-15T13:00Z", None),
        ("utc", "openai", "gpt-5.6-luna", "2026-07-15T15:00Z", ("luna", "flat")),
        ("berlin", "grid", "night_model", "2026-03-29T00:30Z", ("nights", "night")),
        ("berlin", "grid", "night_model", "2026-03-29T01:00Z", ("nights", "weekend")),
        ("berlin", "grid", "night_model", "2026-10-25T00:00Z", ("nights", "small-hours")),
        ("berlin", "grid", "night_model", "2026-10-25T01:00Z", ("nights", "small-hours")),
        ("nowhere", "grid", "night_model", "2026-10-25T01:00Z", None),
        ("kolkata", "grid", "night_model", "2026-05-06T20:00Z", ("nights", "night")),
        ("kolkata", "else", "night_model", "2026-05-06T20:00Z", ("nights-in-kolkata", "night")),
        ("kolkata", "else", "night_model", "2026-05-06T12:00Z", None),
        ("new-york", "grid", "anything", "2026-05-06T12:00Z", ("everything-in-new-york", "flat")),
    ],
)
def test_the_most_specific_price_wins(
    region: str, provider: str, model: str, time: str, expected: tuple[str, str] | None
) -> None:
    hour = datetime.fromisoformat(time).astimezone(UTC)
    tariffs = tariffs_of(CATALOGUE, region, provider, model)
    found = [(one.tariff.tariff, one.period) for one in prices_at(CATALOGUE, tariffs, region, hour)]
    assert found == ([] if expected is None else [expected])


#: Of the days below: weekdays on which offices in China are closed, by the State Council's list.
CLOSED = {date(2026, 9, 25), *(date(2026, 10, day) for day in (1, 2, 5, 6, 7))}
#: In UTC, the same in Beijing's day.
PEAK_HOURS = {1, 2, 3, 6, 7, 8, 9}
FIRST, LAST = datetime(2026, 8, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)


def deepseek(model: str, hour: datetime) -> tuple[str, Decimal] | None:
    """Period and price of output, by DeepSeek's page and a calendar on the wall."""
    begins = {"deepseek-v4-pro": (8, 16, 16), "deepseek-flash": (9, 10, 4)}[model]
    low, high = {"deepseek-v4-pro": ("1.98", "3.96"), "deepseek-flash": ("0.60", "1.20")}[model]
    if hour < datetime(2026, *begins, tzinfo=UTC):
        return ("flat", Decimal("0.87")) if model == "deepseek-v4-pro" else None
    # In its first week weekends were days as all others.
    weekend = hour.strftime("%a") in ("Sat", "Sun") and hour >= datetime(
        2026, 8, 22, 16, tzinfo=UTC
    )
    if hour.hour in PEAK_HOURS and not weekend and hour.date() not in CLOSED:
        return "peak", Decimal(high)
    return "off_peak", Decimal(low)


@pytest.mark.parametrize("model", ["deepseek-v4-pro", "deepseek-flash"])
def test_each_hour_of_three_months_at_deepseek(model: str) -> None:
    catalogue = load_catalogue()
    tariffs = tariffs_of(catalogue, "us-east", "deepseek", model)
    hours = [FIRST + timedelta(hours=number) for number in range(24 * 92)]
    assert hours[-1] + timedelta(hours=1) == LAST
    periods = []
    for hour in hours:
        found = [
            (one.period, one.version.prices[one.period].price("output"))
            for one in prices_at(catalogue, tariffs, "us-east", hour)
        ]
        expected = deepseek(model, hour)
        assert found == ([] if expected is None else [expected]), hour
        periods.append(expected and expected[0])
    # Worked Sundays and Saturdays (2026-09-20, 2026-10-10) are weekends to DeepSeek.
    assert periods.count("peak") == {"deepseek-v4-pro": 7 * 50, "deepseek-flash": 7 * 31 - 3}[model]


def test_what_fits_is_in_the_order_in_which_it_would_win() -> None:
    """Of equal ones, which the check refuses, the later version comes first, then the last name."""
    tariffs = tariffs_of(CATALOGUE, "new-york", "grid", "office-model")
    noon, night = (datetime(2026, 7, 29, hour, tzinfo=UTC) for hour in (16, 23))

    def names(hour: datetime) -> list[tuple[str, str]]:
        found = fitting_at(CATALOGUE, tariffs, "new-york", hour)
        return [(one.tariff.tariff, one.period) for one in found]

    behind = [("offices-by-day", "day"), ("everything-in-new-york", "flat")]
    assert names(noon) == [("offices", "open"), *behind]
    assert names(night) == behind
    twins = [one.model_copy(update={"tariff": name}) for one in tariffs[:1] for name in ("a", "b")]
    found = fitting_at(CATALOGUE, twins, "new-york", noon)
    assert [one.tariff.tariff for one in found] == ["b", "a"]
    assert len(prices_at(CATALOGUE, twins, "new-york", noon)) == 2


README = Path(__file__).parents[4] / "README.md"


def test_the_first_event_of_the_readme_has_a_price() -> None:
    body = README.read_text(encoding="utf-8").split("curl -i", 1)[1].split("```", 1)[0]
    provider, model = (
        body.split(f'"{name}": "')[1].split('"')[0] for name in ("provider", "model")
    )
    catalogue, now = load_catalogue(), datetime.now(UTC)
    for region in catalogue.regions.regions:
        tariffs = tariffs_of(catalogue, region.region, provider, model)
        assert prices_at(catalogue, tariffs, region.region, now), region.region


@pytest.mark.parametrize(
    ("provider", "model", "tier", "band", "token_class", "price"),
    [
        # Read off the providers' lists once more, by eye.
        ("openai", "gpt-5", "flex", 0, "cache_read", "0.0625"),
        ("openai", "gpt-5", "priority", 0, "output", "20"),
        ("openai", "gpt-5.6-luna", "", 256_000, "output", "1.2"),
        ("openai", "gpt-5.6-luna", "", 272_000, "output", "1.8"),
        ("openai", "gpt-5.6-luna", "batch", 272_000, "uncached_input", "0.2"),
        ("openai", "gpt-5.6-luna", "scale", 0, "output", None),
        ("azure.ai.openai", "gpt-5.6-luna", "", 272_000, "cache_write", "0.5"),
        ("azure.ai.openai", "gpt-5.6-luna", "batch", 0, "output", None),
        ("anthropic", "claude-opus-5.5", "", 0, "cache_write_1h", "8"),
        ("anthropic", "claude-opus-5.5", "fast", 1_000_000, "cache_write_1h", "16"),
        ("anthropic", "claude-opus-5.5", "", 0, "cache_write_5m", "5"),
        ("gcp.gemini", "gemini-3.1-pro", "batch", 200_000, "cache_read", "0.4"),
        ("gcp.gemini", "gemini-3.1-flash-lite", "", 0, "audio_input", "0.5"),
        ("openai", "gpt-realtime-2", "", 0, "cache_read_audio", "0.4"),
        ("openai", "gpt-realtime-2", "", 0, "audio_output", "64"),
        ("x_ai", "grok-4.7", "", 199_999, "output", "12"),
        ("minimax", "minimax-m3", "", 512_000, "cache_read", "0.12"),
    ],
)
def test_what_the_shipped_tariffs_ask_of_a_class(
    provider: str, model: str, tier: str, band: int, token_class: TokenClass, price: str | None
) -> None:
    catalogue, day = load_catalogue(), datetime(2026, 11, 23, tzinfo=UTC)
    tariffs = tariffs_of(catalogue, "us-east", provider, model)
    (found,) = prices_at(catalogue, tariffs, "us-east", day)
    variant = found.version.variant_for(tier, band)
    asked = None if variant is None else variant.prices[found.period].price(token_class)
    assert asked == (None if price is None else Decimal(price))
