"""Reads what is settled: checkpoints, charges and prices, and whether they moved meanwhile."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from schemas.canary import NO_CANARY_TENANT
from services.billing.periods import Period
from services.platform.clickhouse import all_rows
from services.settlement.canonical import canonical, decimal_text, sha256
from services.settlement.charges import Charge, DemandCharge, Price, Usage
from services.settlement.cut import Cut, Place

WITHIN: Final = (
    "window_start >= toDateTime({start:Date}, 'UTC')"
    " AND window_start < toDateTime({end:Date}, 'UTC')"
)
CHECKPOINTS: Final = "SELECT log, partition, next_offset FROM checkpoints FINAL"
#: What changes whenever a slice of the month does, by partition, and the highest version there.
SLICES: Final = " UNION ALL ".join(
    f"""
SELECT '{table}', toString(log), partition, max(version), count(),
       groupBitXor(cityHash64({names}, version))
FROM {table} FINAL
WHERE {WITHIN}
GROUP BY log, partition
"""
    for table, names in (
        (
            "slices_hour",
            "window_start, tenant, region, provider, model, entry, service_tier, context_band",
        ),
        ("slices_unit", "window_start, tenant, region, provider, model, entry, unit"),
    )
)
CHARGES: Final = f"""
SELECT tenant, window_start, region, provider, model, toString(entry), service_tier, context_band,
       token_class, unit, quantity, tou_period, tariff_id, currency, price, amount
FROM charges
WHERE tenant IN {{tenants:Array(String)}} AND {WITHIN}
"""
#: Whoever was metered, be it requests without a token.
TENANTS: Final = f"""
SELECT DISTINCT tenant FROM slices_hour WHERE {WITHIN} AND {NO_CANARY_TENANT}
"""
DEMAND: Final = """
SELECT region, demand_charge_id, usd_per_token_per_second FROM demand_charges
WHERE valid_from <= toDateTime({start:Date}, 'UTC') AND toDateTime({start:Date}, 'UTC') < valid_to
"""
#: What a price is found by.
PRICE_TABLES: Final = (
    *("tariffs", "listed_models", "demand_charges", "regions"),
    *("tou_periods", "calendar_days", "zone_offsets"),
)


@dataclass(frozen=True, slots=True)
class Moment:
    """What tells whether the database said the same all the time."""

    slices: tuple[tuple[Any, ...], ...]
    catalogue: str

    @property
    def versions(self) -> dict[Place, int]:
        """The highest version of a slice of the month, by partition."""
        found: dict[Place, int] = defaultdict(int)
        for _, log, partition, version, *_ in self.slices:
            found[log, partition] = max(found[log, partition], version)
        return dict(found)


def read_cut(client: Client) -> Cut:
    """The checkpoints. Raises `UnavailableError`."""
    rows = all_rows(client, CHECKPOINTS, {})
    return Cut({(str(log), int(place)): int(offset) for log, place, offset in rows})


def read_moment(client: Client, period: Period) -> Moment:
    """What tells a month's slices and all prices from others. Raises `UnavailableError`."""
    rows = all_rows(client, SLICES, _month(period))
    return Moment(tuple(sorted(tuple(row) for row in rows)), read_catalogue_hash(client))


def read_catalogue_hash(client: Client) -> str:
    """SHA-256 over all that prices are found by, as it is loaded. Raises `UnavailableError`."""
    tables = {
        name: sorted(
            [_text(value) for value in row] for row in all_rows(client, f"SELECT * FROM {name}", {})
        )
        for name in PRICE_TABLES
    }
    return sha256(canonical(tables))


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, list | tuple):
        return canonical([_text(one) for one in value]).decode()
    return "" if value is None else str(value)


def read_tenants(client: Client, period: Period) -> list[str]:
    """All tenants that were metered in a month, by name. Raises `UnavailableError`."""
    return sorted(str(name) for (name,) in all_rows(client, TENANTS, _month(period)))


def read_demand_charges(client: Client, period: Period) -> list[DemandCharge]:
    """The demand charges that hold when a month begins. Raises `UnavailableError`."""
    rows = all_rows(client, DEMAND, {"start": period.start})
    return [DemandCharge(*row) for row in sorted(rows)]


def read_charges(
    client: Client, period: Period, tenants: Sequence[str]
) -> Mapping[str, list[Charge]]:
    """The charges of a month, by tenant. Raises `UnavailableError`."""
    found: dict[str, list[Charge]] = {name: [] for name in tenants}
    for tenant, *row in all_rows(client, CHARGES, {"tenants": list(tenants), **_month(period)}):
        found[tenant].append(_charge(row))
    return found


def _charge(row: Sequence[Any]) -> Charge:
    hour, *labels, token_class, unit, quantity, tou, tariff, currency, price, amount = row
    priced = None if price is None else Price(tou, tariff, currency, price)
    usage = Usage(*labels)
    moment = hour.replace(tzinfo=UTC)
    return Charge(moment, usage, token_class, unit, int(quantity), priced, amount)


def _month(period: Period) -> dict[str, date]:
    return {"start": period.start, "end": period.end}
