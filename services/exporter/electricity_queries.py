"""Reads the electricity of the running billing period from the view `energy_parts`."""

from __future__ import annotations

from typing import Final

from clickhouse_connect.driver.client import Client

from services.exporter.electricity import BOUNDS, ElectricityRow
from services.exporter.rows import Series
from services.platform.clickhouse import all_rows

_RANGES: Final = ("kwh", "location_gco2e", "market_gco2e", "embodied_gco2e")
#: Sums are exact decimals in the database, and floats only here, where Prometheus asks for them.
SUMS: Final = ", ".join(f"toFloat64(sum({name}_{bound}))" for name in _RANGES for bound in BOUNDS)
ELECTRICITY_SQL: Final = f"""
SELECT region, provider, model, sum(unrated_tokens), {SUMS}
FROM energy_parts
WHERE window_start >= toDateTime(toStartOfMonth(now('UTC')), 'UTC')
GROUP BY region, provider, model
"""


def read_energy(client: Client) -> list[ElectricityRow]:
    """Read what this month took. Raises `UnavailableError` and `ConfigurationError`."""
    return [
        ElectricityRow(
            Series(*row[:3]),
            int(row[3]),
            *(tuple(row[start : start + len(BOUNDS)]) for start in range(4, len(row), len(BOUNDS))),
        )
        for row in sorted(all_rows(client, ELECTRICITY_SQL, {}), key=lambda row: row[:3])
    ]
