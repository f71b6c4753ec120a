"""kWh and gCO2e of windows, against EcoLogits asked request by request."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.catalogue.energy import Energy, EnergyFile
from schemas.catalogue.energy_entries import (
    Contract,
    FactorVersion,
    Grid,
    OverheadBounds,
    RegionGrid,
    Site,
    SiteVersion,
)
from schemas.catalogue.loading import load_energy
from services.billing.electricity import NONE, Electricity, Range, Use, electricity, total
from tests import ecologits_oracle
from tests.ecologits_oracle import Answer

SHIPPED: Final = load_energy()
NOW: Final = datetime(2026, 11, 1, tzinfo=UTC)
#: A zone of the library and a region that lies on it here.
ZONES: Final = ("DEU", "USA", "SWE", "WOR")
SAID: Final = {"source": "a test", "source_date": date(2026, 11, 1), "valid_from": NOW}


def as_in_the_library() -> Energy:
    """The shipped ratings and overheads, and regions that emit what the library's zones do."""
    grids = tuple(
        Grid(
            grid=zone,
            versions=(
                FactorVersion(
                    gco2e_per_kwh=round(Decimal(repr(ecologits_oracle.mix_gco2e_per_kwh(zone))), 6),
                    data_year=2023,
                    **SAID,
                ),
            ),
        )
        for zone in ZONES
    )
    regions = tuple(
        RegionGrid(region=zone, grid=zone, source="a test", source_date=date(2026, 11, 1))
        for zone in ZONES
    )
    return Energy(
        file=SHIPPED.file.model_copy(update={"regions": regions}),
        models=SHIPPED.models,
        grids=grids,
    )


LIBRARY: Final = as_in_the_library()
requests = st.builds(
    lambda series, zone, tokens: (*series, zone, tokens),
    st.sampled_from(ecologits_oracle.models()),
    st.sampled_from(ZONES),
    st.one_of(st.integers(0, 3000), st.integers(0, 10**11)),
)


def close(found: Range | None, expected: tuple[float, float]) -> bool:
    """Equal to 1 in 10^12."""
    assert found is not None
    return [float(found.low), float(found.high)] == pytest.approx(expected, rel=1e-12, abs=0)


def of(energy: Energy, use: Use, provider: str, model: str, region: str) -> Electricity:
    return electricity(energy, use, region=region, provider=provider, model=model, at=NOW)


@given(st.lists(requests, min_size=1, max_size=40))
def test_windows_are_what_the_library_says_of_their_requests(
    made: list[tuple[str, str, str, int]],
) -> None:
    """Registers by series know only how many requests and tokens there were."""
    registers: dict[tuple[str, str, str], list[int]] = {}
    for provider, model, zone, tokens in made:
        register = registers.setdefault((provider, model, zone), [0, 0])
        register[0] += 1
        register[1] += tokens
    found = total(
        of(LIBRARY, Use(count, tokens, tokens), *series)
        for series, (count, tokens) in registers.items()
    )
    answers = [
        ecologits_oracle.asked(provider, model, tokens, zone)
        for provider, model, zone, tokens in made
    ]
    expected = ecologits_oracle.added(answers)
    assert close(found.kwh, expected.kwh)
    assert close(found.location_gco2e, expected.usage_gco2e)
    assert close(found.embodied_gco2e, expected.embodied_gco2e)
    assert (found.unrated_tokens, found.location_unrated_tokens) == (0, 0)
    assert found.market_gco2e is None
    assert found.market_unrated_tokens == sum(one[-1] for one in made)


@pytest.mark.parametrize("provider, model", ecologits_oracle.models())
def test_every_model_of_the_library_is_rated(provider: str, model: str) -> None:
    answer: Answer = ecologits_oracle.asked(provider, model, 321, "DEU")
    assert close(of(LIBRARY, Use(1, 321, 321), provider, model, "DEU").kwh, answer.kwh)


@given(st.lists(requests, max_size=20), st.data())
def test_how_use_is_cut_into_windows_changes_no_digit(
    made: list[tuple[str, str, str, int]], data: st.DataObject
) -> None:
    parts = [
        of(LIBRARY, Use(1, tokens, tokens), provider, model, zone)
        for provider, model, zone, tokens in made
    ]
    mixed = data.draw(st.permutations(parts))
    cut = data.draw(st.integers(0, len(parts)))
    assert total(parts) == total([total(mixed[:cut]), total(mixed[cut:])])


def test_input_takes_nothing_by_this_model() -> None:
    """It is what docs/energy.md warns of beside every number."""
    without = of(SHIPPED, Use(1, 100, 100), "openai", "gpt-5", "us-east")
    assert of(SHIPPED, Use(1, 10**9, 100), "openai", "gpt-5", "us-east").kwh == without.kwh


def test_what_nobody_rated_is_counted_and_not_0() -> None:
    use = Use(3, 700, 200)
    found = of(SHIPPED, use, "nobody", "unheard-of", "us-east")
    assert found == Electricity(
        tokens=700,
        unrated_tokens=700,
        location_unrated_tokens=700,
        market_unrated_tokens=700,
    )
    rated = of(SHIPPED, use, "openai", "gpt-5", "us-east")
    both = rated + found
    assert both.kwh == rated.kwh
    assert (both.tokens, both.unrated_tokens) == (1400, 700)
    assert NONE + rated == rated


def test_a_region_on_no_known_grid_has_kwh_and_no_co2e() -> None:
    found = of(SHIPPED, Use(1, 5, 5), "openai", "gpt-5", "atlantis")
    assert found.kwh is not None
    assert found.embodied_gco2e is not None
    assert (found.location_gco2e, found.location_unrated_tokens) == (None, 5)


def test_location_and_market_are_two_accounts_of_the_same_kwh() -> None:
    contract = Contract(
        provider="openai",
        region="us-east",
        versions=(FactorVersion(gco2e_per_kwh=Decimal("12.5"), data_year=2025, **SAID),),
    )
    file = SHIPPED.file.model_copy(update={"contracts": (contract,)})
    energy = Energy(file=file, models=SHIPPED.models, grids=SHIPPED.grids)
    found = of(energy, Use(2, 9, 9), "openai", "gpt-5", "us-east")
    assert found.kwh is not None and found.market_gco2e is not None
    assert found.market_gco2e.low == found.kwh.low * Decimal("12.5")
    assert found.location_gco2e is not None
    assert found.location_gco2e.high == found.kwh.high * Decimal("244.757989")


def test_without_an_overhead_the_computers_are_known_and_the_site_is_not() -> None:
    energy = Energy(file=EnergyFile(version="none"), models=SHIPPED.models)
    found = of(energy, Use(1, 5, 5), "openai", "gpt-5", "us-east")
    assert found.it_kwh is not None
    assert (found.kwh, found.unrated_tokens) == (None, 5)


def test_the_mean_is_the_middle() -> None:
    assert Range(Decimal("0.1"), Decimal("0.4")).mean == Decimal("0.25")


def test_an_overhead_multiplies_each_end() -> None:
    site = Site(
        provider="openai",
        region="us-east",
        versions=(
            SiteVersion(pue=OverheadBounds(low=Decimal("1.5"), high=Decimal("2.5")), **SAID),
        ),
    )
    file = SHIPPED.file.model_copy(update={"sites": (*SHIPPED.file.sites, site)})
    found = of(
        Energy(file=file, models=SHIPPED.models, grids=SHIPPED.grids),
        *(Use(1, 5, 5), "openai", "gpt-5", "us-east"),
    )
    assert found.it_kwh is not None and found.kwh is not None
    assert found.kwh.low == found.it_kwh.low * Decimal("1.5")
    assert found.kwh.high == found.it_kwh.high * Decimal("2.5")
