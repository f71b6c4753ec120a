"""Reads real electricity from ClickHouse: what each model of a tenant took in a period."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from services.billing.electricity import RANGES, Electricity, ModelElectricity, Range
from services.platform.clickhouse import all_rows

_COUNTS: Final = (
    *("tokens", "unrated_tokens", "location_unrated_tokens", "market_unrated_tokens"),
)
_ENDS: Final = tuple(f"{name}_{end}" for name in RANGES for end in ("low", "high"))
#: What `electricity_of` reads, of rows of `energy_parts AS e`.
SUMS: Final = ", ".join(f"sum(e.{name})" for name in (*_COUNTS, *_ENDS))
ELECTRICITY: Final = f"""
SELECT tenant, provider, model, {SUMS}
FROM energy_parts AS e
WHERE tenant IN {{tenants:Array(String)}}
    AND window_start >= toDateTime({{start:Date}}, 'UTC')
    AND window_start < toDateTime({{end:Date}}, 'UTC')
GROUP BY tenant, provider, model
"""


def read_electricity(
    client: Client, names: Mapping[str, Any]
) -> dict[str, tuple[ModelElectricity, ...]]:
    """Read what each of ``tenants`` took from ``start`` to ``end``, by model, most tokens first.

    Raises `UnavailableError` if ClickHouse does not answer.
    """
    given = {name: names[name] for name in ("tenants", "start", "end")}
    found: dict[str, list[ModelElectricity]] = defaultdict(list)
    for tenant, provider, model, *sums in all_rows(client, ELECTRICITY, given):
        found[tenant].append(ModelElectricity(provider, model, electricity_of(sums)))
    return {tenant: tuple(sorted(rows, key=_order)) for tenant, rows in found.items()}


def _order(one: ModelElectricity) -> tuple[int, str, str]:
    return (-one.electricity.tokens, one.provider, one.model)


def electricity_of(sums: Sequence[Any]) -> Electricity:
    """What a row of `SUMS` says."""
    counts, ends = sums[: len(_COUNTS)], sums[len(_COUNTS) :]
    values: dict[str, Any] = dict(zip(_COUNTS, map(int, counts), strict=True))
    for name, low, high in zip(RANGES, ends[::2], ends[1::2], strict=True):
        values[name] = None if low is None else Range(low, high)
    return Electricity(**values)
