"""What a tariff may say: when its versions hold, and which of their variants bills what."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.catalogue.tariff_entries import PriceVersion, TariffEntry

PRICES: dict[str, Any] = {
    "uncached_input": "1",
    "cache_read": "0.1",
    "cache_write": {"same_as": "uncached_input"},
    "output": "6",
    "reasoning": {"same_as": "output"},
}
VERSION: dict[str, Any] = {
    "valid_from": "2026-01-01T00:00:00Z",
    "source": "list",
    "source_date": "2026-01-01",
    "prices": {"flat": PRICES},
}
TARIFF: dict[str, Any] = {"tariff": "t", "provider": "p", "model": "m", "region": "*"}


def variant(tier: str, above: int, output: str) -> dict[str, Any]:
    prices = {"flat": PRICES | {"output": output}}
    return {"service_tier": tier, "above_input_tokens": above, "prices": prices}


def test_a_day_is_its_midnight_in_utc_and_a_time_needs_its_zone() -> None:
    version = PriceVersion.model_validate(
        VERSION | {"valid_to": datetime.fromisoformat("2026-02-01T02:00:00+02:00")}
    )
    assert version.valid_to == datetime(2026, 2, 1, tzinfo=UTC)
    with pytest.raises(ValidationError, match="zone"):
        PriceVersion.model_validate(VERSION | {"valid_to": datetime(2026, 2, 1)})  # noqa: DTZ001


def test_a_span_runs_forwards() -> None:
    with pytest.raises(ValidationError, match="before valid_to"):
        PriceVersion.model_validate(VERSION | {"valid_to": "2026-01-01T00:00:00Z"})


def test_flat_prices_and_calendars_exclude_each_other() -> None:
    assert TariffEntry.model_validate(TARIFF | {"versions": [VERSION]}).calendar is None
    with pytest.raises(ValidationError, match="flat"):
        TariffEntry.model_validate(TARIFF | {"versions": [VERSION], "calendar": "c"})
    peak = VERSION | {"prices": {"peak": PRICES}}
    with pytest.raises(ValidationError, match="one period, flat"):
        TariffEntry.model_validate(TARIFF | {"versions": [peak]})


def test_versions_of_a_tariff_begin_at_different_moments() -> None:
    other = VERSION | {"valid_to": "2026-02-01T00:00:00Z"}
    with pytest.raises(ValidationError, match="two versions begin at 2026-01-01 00:00 UTC"):
        TariffEntry.model_validate(TARIFF | {"versions": [VERSION, other]})


def test_the_greatest_threshold_that_a_band_reaches_bills_it_in_its_own_tier_only() -> None:
    variants = [
        variant("standard", 272_000, "9"),
        variant("standard", 128_000, "7"),
        variant("batch", 0, "3"),
        variant("flex", 200_000, "4"),
    ]
    version = PriceVersion.model_validate(VERSION | {"variants": variants})

    def output(tier: str, band: int) -> Decimal | None:
        found = version.variant_for(tier, band)
        return None if found is None else found.prices["flat"].price("output")

    assert [output("", band) for band in (0, 127_999, 128_000, 200_000, 272_000, 10**6)] == [
        *(6, 6, 7, 7, 9, 9),
    ]
    assert [output("standard", band) for band in (0, 10**6)] == [6, 9]
    assert [output("batch", band) for band in (0, 10**6)] == [3, 3]
    assert [output("flex", band) for band in (0, 128_000, 200_000)] == [None, None, 4]
    assert output("priority", 0) is None


@pytest.mark.parametrize(
    ("variants", "complaint"),
    [
        (
            [variant("batch", 5, "1"), variant("batch", 5, "2")],
            "overlap: batch above 5 input",
        ),
        ([variant("standard", 0, "1")], "that is what prices says"),
        ([variant("batch", 0, "1") | {"prices": {"peak": PRICES}}], "variant batch: .*: flat"),
    ],
)
def test_variants_that_contradict_their_version(
    variants: list[dict[str, Any]], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        PriceVersion.model_validate(VERSION | {"variants": variants})


def test_units_have_prices_by_the_thousand() -> None:
    version = PriceVersion.model_validate(VERSION | {"units": {"web_searches": "10.00"}})
    assert version.units == {"web_searches": Decimal(10)}
    for wrong, complaint in (
        ({"searches": "1"}, "'searches' is no unit: web_searches"),
        ({"pages": 0.5}, "float"),
        ({"pages": "1000000.1"}, "less than or equal to"),
    ):
        with pytest.raises(ValidationError, match=complaint):
            PriceVersion.model_validate(VERSION | {"units": wrong})
