"""Real electricity in the catalogue: what holds when, other names, and what is refused."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from schemas.catalogue import CatalogueError, load_catalogue
from schemas.catalogue.energy_files import GRIDS, MODELS, derived_text, load_grids, load_models
from schemas.catalogue.energy_rows import (
    FACTOR_COLUMNS,
    RATING_COLUMNS,
    SITE_COLUMNS,
    factor_rows,
    rating_rows,
    site_rows,
)
from schemas.catalogue.files import SHIPPED
from schemas.catalogue.loading import load_energy

TEST = Path(__file__).parents[3] / "integration" / "energy_catalogue"
#: When each kind of version of the test's catalogue changes.
CHANGE = datetime(2026, 7, 15, 12, 30, tzinfo=UTC)
BEFORE = datetime(2026, 7, 15, 12, 29, 59, tzinfo=UTC)
SAID = "source: s, source_date: 2026-07-01"


def by_hand(folder: Path, text: str) -> Path:
    (folder / "energy.yaml").write_text(f"version: test\n{text}")
    return folder


def test_the_shipped_files_rate_what_the_simulator_uses() -> None:
    energy = load_catalogue().energy
    assert energy.rating("openai", "gpt-5", CHANGE) is not None
    assert energy.rating("mistral_ai", "mistral-large-4", CHANGE) is not None
    assert energy.rating("openai", "nobody-knows", CHANGE) is None
    for region in load_catalogue().regions.regions:
        assert energy.location_factor(region.region, CHANGE) is not None


def test_a_name_is_found_whatever_its_case_and_by_its_other_names() -> None:
    energy = load_energy()
    found = energy.rating("anthropic", "claude-opus-5-5", CHANGE)
    assert found is not None
    assert energy.rating("Anthropic", "Claude-Opus-5.5", CHANGE) == found
    gpt = energy.rating("openai", "gpt-5", CHANGE)
    assert energy.rating("azure.ai.openai", "gpt-5", CHANGE) == gpt


def test_open_weights_are_rated_whoever_serves_them() -> None:
    name = "meta-llama/Meta-Llama-3.1-8B-Instruct"
    energy = load_energy()
    assert energy.rating("vllm", name, CHANGE) == energy.rating("together_ai", name, CHANGE)
    assert energy.rating("vllm", name, CHANGE) is not None


def test_a_version_holds_from_its_moment_up_to_the_next() -> None:
    energy = load_energy(TEST)
    first, second = (energy.rating("vllm", "our-own", at) for at in (BEFORE, CHANGE))
    assert first is not None and second is not None
    assert first.it_kwh_per_output_token.low == Decimal("0.0000001")
    assert second.it_kwh_per_output_token.low == Decimal("0.0000005")
    assert energy.market_factor("openai", "berlin", BEFORE) is None
    assert energy.market_factor("openai", "berlin", CHANGE) is not None
    assert energy.rating("vllm", "our-own", datetime(2024, 12, 31, tzinfo=UTC)) is None


def test_the_provider_s_own_comes_before_anybody_s_as_long_as_it_holds() -> None:
    energy = load_energy(TEST)
    during, after = (
        energy.rating("openai", "our-own", datetime(2026, 7, 15, hour, tzinfo=UTC))
        for hour in (13, 14)
    )
    assert during is not None and after is not None
    assert during.it_kwh_per_output_token.low == Decimal("0.0000009")
    assert after.it_kwh_per_output_token.low == Decimal("0.0000005")


@pytest.mark.parametrize(
    "provider, region, low",
    [
        ("openai", "berlin", "1.1"),
        ("vllm", "berlin", "1.05"),
        ("anthropic", "atlantis", "1.09"),
        ("vllm", "atlantis", None),
    ],
)
def test_a_provider_s_site_comes_before_the_region_s(
    provider: str, region: str, low: str | None
) -> None:
    site = load_energy(TEST).site(provider, region, CHANGE)
    assert (site and site.pue.low) == (low and Decimal(low))


def test_rows_have_each_name_and_every_version() -> None:
    energy = load_energy(TEST)
    ratings = [dict(zip(RATING_COLUMNS, row, strict=True)) for row in rating_rows(energy)]
    ours = [row for row in ratings if row["model"] == "our-own"]
    assert [(row["provider"], row["valid_from"]) for row in ours] == [
        ("*", datetime(2025, 1, 1, tzinfo=UTC)),
        ("*", CHANGE),
        ("azure.ai.openai", datetime(2026, 7, 15, 13, tzinfo=UTC)),
        ("openai", datetime(2026, 7, 15, 13, tzinfo=UTC)),
    ]
    assert {row["provider"] for row in ratings if row["model"] == "our-gpt"} == {
        "openai",
        "azure.ai.openai",
    }
    sites = [dict(zip(SITE_COLUMNS, row, strict=True)) for row in site_rows(energy)]
    assert [row["pue_high"] for row in sites if row["provider"] == "openai"] == [
        Decimal("1.2"),
        Decimal("1.3"),
    ]
    factors = [dict(zip(FACTOR_COLUMNS, row, strict=True)) for row in factor_rows(energy)]
    assert [(row["basis"], row["region"], row["grid"]) for row in factors] == [
        ("location", "berlin", "DEU"),
        ("location", "virginia", "US-VA"),
        ("market", "berlin", ""),
        ("market", "virginia", ""),
    ]


@pytest.mark.parametrize(
    "text, says",
    [
        (
            f"regions: [{{region: r, grid: DE, {SAID}}}]",
            "region r: energy_grids.jsonl has no grid DE; a country is called by its three letters",
        ),
        (
            "sites: [{provider: p, region: r, versions: ["
            f"{{valid_from: 2026-01-01, pue: {{low: 0.9, high: 1}}, {SAID}}}]}}]",
            "sites.0.versions.0.pue.low: Input should be greater than or equal to",
        ),
        (
            "sites: [{provider: p, region: r, versions: ["
            f"{{valid_from: 2026-01-01, pue: {{low: 1.2, high: 1.1}}, {SAID}}}]}}]",
            "low lies above high",
        ),
        (
            "sites: [{provider: p, region: r, versions: ["
            f"{{valid_from: 2026-01-01, pue: {{low: 1.2, high: 1.2}}, {SAID}}},"
            f"{{valid_from: 2026-03-01, pue: {{low: 1.1, high: 1.1}}, {SAID}}}]}}]",
            "two versions hold from 2026-03-01 00:00 UTC on: let the earlier one end there",
        ),
        (
            "contracts: [{provider: P, region: r, versions: ["
            f"{{valid_from: 2026-01-01, gco2e_per_kwh: 1, data_year: 2025, {SAID}}}]}}]",
            "contracts.0.provider: String should match pattern",
        ),
        (
            2 * f"regions: [{{region: r, grid: DEU, {SAID}}}, {{region: r, grid: FRA, {SAID}}}]\n",
            "region r is there twice",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(CatalogueError) as told:
        load_energy(by_hand(tmp_path, text))
    assert says in str(told.value)
    assert "energy.yaml" in str(told.value)


def test_a_line_that_cannot_be_read_is_told_by_its_number(tmp_path: Path) -> None:
    lines = (SHIPPED / MODELS).read_text(encoding="utf-8").splitlines()
    broken = lines[2].replace('"low": "0.', '"low": "x.', 1)
    (tmp_path / MODELS).write_text("\n".join([*lines[:2], broken, *lines[3:]]))
    with pytest.raises(CatalogueError, match="energy_models.jsonl, line 3: versions.0.it_kwh_per"):
        load_energy(tmp_path)


def test_who_needs_no_prices_reads_nothing_of_it(tmp_path: Path) -> None:
    """As ingest: a fault in these files is none of its own."""
    folder = by_hand(tmp_path, "regions: [{region: r, grid: nowhere}]")
    assert load_catalogue(folder, with_price_lists=False).energy.ratings == {}
    with pytest.raises(CatalogueError):
        load_catalogue(folder)


def test_empty_files_rate_nothing(tmp_path: Path) -> None:
    for name in (MODELS, GRIDS):
        (tmp_path / name).write_text("")
    energy = load_energy(by_hand(tmp_path, ""))
    assert energy.rating("openai", "gpt-5", CHANGE) is None


def test_a_derived_file_is_written_as_it_was_read(tmp_path: Path) -> None:
    for name, load in ((MODELS, load_models), (GRIDS, load_grids)):
        shutil.copy(SHIPPED / name, tmp_path / name)
        header, entries = load(tmp_path / name)
        assert header is not None
        assert derived_text(header, entries) == (SHIPPED / name).read_text(encoding="utf-8")
