"""PURE. Real electricity as rows of ClickHouse tables (schemas/clickhouse/0022_energy.sql)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from schemas.catalogue.energy import Energy
from schemas.catalogue.energy_entries import ANY

Row = tuple[Any, ...]

RATING_COLUMNS: Final = (
    *("provider", "model", "valid_from", "valid_to"),
    *("it_kwh_per_output_token_low", "it_kwh_per_output_token_high"),
    *("it_kwh_per_request_low", "it_kwh_per_request_high"),
    *("embodied_gco2e_per_output_token_low", "embodied_gco2e_per_output_token_high"),
    *("embodied_gco2e_per_request_low", "embodied_gco2e_per_request_high"),
    *("notes", "source", "source_date"),
)
SITE_COLUMNS: Final = (
    *("provider", "region", "valid_from", "valid_to"),
    *("pue_low", "pue_high", "source", "source_date"),
)
FACTOR_COLUMNS: Final = (
    *("basis", "provider", "region", "grid", "valid_from", "valid_to"),
    *("gco2e_per_kwh", "data_year", "source", "source_date"),
)


def rating_rows(energy: Energy) -> Iterator[Row]:
    """Rows of `energy_ratings`: of every name by which a rating is found."""
    for (provider, model), rating in sorted(energy.ratings.items()):
        for one in rating.versions:
            bounds = (
                *(one.it_kwh_per_output_token, one.it_kwh_per_request),
                *(one.embodied_gco2e_per_output_token, one.embodied_gco2e_per_request),
            )
            yield (
                *(provider, model, one.valid_from, one.valid_to),
                *(number for both in bounds for number in (both.low, both.high)),
                *(list(one.notes), one.source, one.source_date),
            )


def site_rows(energy: Energy) -> Iterator[Row]:
    """Rows of `energy_sites`."""
    for site in energy.file.sites:
        for one in site.versions:
            yield (
                *(site.provider, site.region, one.valid_from, one.valid_to),
                *(one.pue.low, one.pue.high, one.source, one.source_date),
            )


def factor_rows(energy: Energy) -> Iterator[Row]:
    """Rows of `energy_factors`: of regions whose grid is known, and of contracts."""
    for region, grid in energy.region_grids.items():
        for one in grid.versions:
            yield (
                *("location", ANY, region, grid.grid, one.valid_from, one.valid_to),
                *(one.gco2e_per_kwh, one.data_year, one.source, one.source_date),
            )
    for contract in energy.file.contracts:
        for one in contract.versions:
            yield (
                *("market", contract.provider, contract.region, "", one.valid_from, one.valid_to),
                *(one.gco2e_per_kwh, one.data_year, one.source, one.source_date),
            )
