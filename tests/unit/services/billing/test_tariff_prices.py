"""Which price holds: the most specific of those that fit."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.catalogue import load_catalogue
from services.billing.tariff_prices import prices_at, tariffs_of

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
