"""A database of its own for the utility views: a small catalogue, slices written as given.

Merges are stopped, so that all versions of a slice stay beside each other and nothing is dropped
for its age: what the views show must come from FINAL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from clickhouse_connect.driver.client import Client

from services.platform.clickhouse import connect
from tests.integration.utility_oracle import Maker, Rows, Slice
from tests.versions.database import Database

#: Patterns of the catalogue's models, and whose they are.
MODELS: Final = {
    "alpha*": Maker("CN", "Alpha Lab"),
    "beta*": Maker("CN", "Beta Lab"),
    "gamma*": Maker("US", "Gamma Lab"),
    "delta*": Maker("FR", "Delta Lab"),
}
#: (provider, model) -> maker; what is not in here is nobody's.
MAKERS: Final = {
    ("p1", "alpha-1"): MODELS["alpha*"],
    ("p2", "alpha-1"): MODELS["alpha*"],
    ("p1", "beta-2"): MODELS["beta*"],
    ("p1", "gamma-3"): MODELS["gamma*"],
    ("p2", "delta-4"): MODELS["delta*"],
}
NOBODYS: Final = ("p2", "nobodys")
CAPACITIES: Final = {"north": 1_000, "south": 0}

#: The columns of each view that are read: key columns first, times as seconds.
WINDOW: Final = "toUnixTimestamp(window_start)"
COLUMNS: Final = {
    "demand_15m": (
        *(WINDOW, "region", "provider", "model"),
        *("tokens", "demand_tokens_per_second", "complete"),
    ),
    "region_demand_15m": (
        *(WINDOW, "region"),
        *("requests", "tokens", "estimated_tokens", "demand_tokens_per_second", "complete"),
    ),
    "sliding_demand": (
        *("region", "provider", "model"),
        *(WINDOW, "toUnixTimestamp(window_end)", "tokens", "demand_tokens_per_second"),
    ),
    "peak_demand": (
        *("period_start", "region"),
        *("tokens", "peak_tokens", "toUnixTimestamp(peak_start)", "coincident_tokens"),
        *("system_peak_tokens", "toUnixTimestamp(system_peak_start)"),
        *("toUnixTimestamp(last_window_start)", "complete"),
    ),
    "load_factor": (
        *("period_start", "region"),
        *("average_demand_tokens_per_second", "load_factor", "coincidence_factor"),
        *("capacity_tokens_per_second", "reserve_margin"),
    ),
    "load_duration": (
        *("region", "time_percent"),
        *("tokens", "demand_tokens_per_second", "blocks"),
    ),
    "generation_mix": (
        *("week_start", "region", "origin", "author"),
        *("tokens", "share", "complete"),
    ),
    "token_league": (
        *("week_start", "origin"),
        *("tokens", "share", "rank", "leading_weeks"),
        *("growth_week_on_week", "growth_year_on_year", "complete"),
    ),
    "token_density": (
        *(WINDOW, "model"),
        *("requests", "input_tokens", "output_tokens", "cache_read_input_tokens"),
        *("tokens_per_request", "output_per_input", "cache_hit_share", "complete"),
    ),
    "data_quality": (
        *(WINDOW, "region"),
        *("measured_tokens", "estimated_tokens", "missing", "complete"),
    ),
}
KEY_WIDTHS: Final = {
    **{"demand_15m": 4, "region_demand_15m": 2, "sliding_demand": 3, "peak_demand": 2},
    **{"load_factor": 2, "load_duration": 2, "generation_mix": 4, "token_league": 2},
    **{"token_density": 2, "data_quality": 2},
}
TOTALS: Final = (
    *("requests", "failed_requests", "input_tokens", "cache_read_input_tokens"),
    *("cache_write_input_tokens", "output_tokens", "reasoning_output_tokens", "estimated_tokens"),
)
SERIES: Final = ("region", "provider", "model")
PLACE: Final = ("entry", "log", "partition", "version")


class UtilityWorld:
    """A migrated database that no service uses."""

    def __init__(self, database: Database) -> None:
        self.client: Client = connect(database.settings)
        for table in ("models", "regions"):
            self.client.command(f"TRUNCATE TABLE {table}")
        for table in ("slices_minute", "slices_hour"):
            self.client.command(f"SYSTEM STOP MERGES {table}")
        self.client.insert(
            "models",
            [[p, 1, m.author, m.origin, "", ""] for p, m in MODELS.items()],
            column_names=["pattern", "priority", "author", "origin", "license", "provider"],
        )
        self.client.insert(
            "regions",
            [[region, "", "UTC", capacity] for region, capacity in CAPACITIES.items()],
            column_names=["region", "country", "time_zone", "capacity_tokens_per_second"],
        )
        self.client.insert(
            "slices_register",
            [["north", *line, "usage", "log", 0, 1, *([1] * 8)] for line in (*MAKERS, NOBODYS)],
            column_names=[*SERIES, *PLACE, *TOTALS],
        )

    def replace_slices(self, table: str, inserts: Sequence[Sequence[Slice]]) -> None:
        """Empty the table, then write each batch with an INSERT, and so a part, of its own."""
        self.client.command(f"TRUNCATE TABLE {table}")
        tenant = ["tenant"] if table == "slices_hour" else []
        names = ["window_start", *SERIES, *tenant, *PLACE, *TOTALS]
        for batch in inserts:
            if batch:
                rows = [_row(one, with_tenant=bool(tenant)) for one in batch]
                self.client.insert(table, rows, column_names=names)

    def insert_hours(self, columns: Mapping[str, Sequence[object]]) -> None:
        """Write many hours of plain usage at once; columns not given keep their defaults."""
        names = list(columns)
        self.client.insert(
            "slices_hour", [columns[name] for name in names], names, column_oriented=True
        )

    def rows(self, view: str, where: str = "1") -> Rows:
        """Read a view: key -> other columns."""
        columns = ", ".join(COLUMNS[view])
        found = self.client.query(f"SELECT {columns} FROM {view} WHERE {where}").result_rows
        width = KEY_WIDTHS[view]
        rows = {tuple(row[:width]): tuple(row[width:]) for row in found}
        assert len(rows) == len(found), f"{view} has a key twice"
        return rows

    def now(self) -> int:
        """The database's clock, seconds since 1970."""
        return int(self.client.query("SELECT toUnixTimestamp(now('UTC'))").result_rows[0][0])

    def close(self) -> None:
        """Disconnect."""
        self.client.close()


def _row(one: Slice, *, with_tenant: bool) -> list[object]:
    """Lay a slice out as its table's columns; the measures the oracle does not know are noise."""
    return [
        *one[:4],
        *([one.tenant] if with_tenant else []),
        *(one.entry, one.log, one.partition, one.version, one.requests, 7),
        *(one.input_tokens, one.cache_read_input_tokens, 7),
        *(one.output_tokens, 7, one.estimated_tokens),
    ]
