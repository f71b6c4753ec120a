"""What the control room asks of real electricity: the month's sums by region, of all tenants."""

from __future__ import annotations

from typing import Final

from clickhouse_connect.driver.client import Client

from services.exporter.control_room.electricity import ElectricityRow
from services.exporter.control_room.money import month_start
from services.exporter.control_room.rows import Window
from services.exporter.electricity_queries import SUMS
from services.platform.clickhouse import all_rows

ELECTRICITY_SQL: Final = f"""
SELECT region, sum(tokens), sum(unrated_tokens), {SUMS}
FROM energy_parts
WHERE window_start >= toDateTime({{month_from:UInt32}}, 'UTC')
  AND window_start < toDateTime({{now:UInt32}}, 'UTC')
GROUP BY region
"""


def read_electricity(client: Client, window: Window) -> list[ElectricityRow]:
    """Read the running month's electricity. Raises as `mapped_errors` says."""
    given = {"month_from": month_start(window.day_from), "now": window.now}
    return [
        ElectricityRow(*row[:3], *(tuple(row[at : at + 3]) for at in range(3, 15, 3)))
        for row in all_rows(client, ELECTRICITY_SQL, given)
    ]
