"""PURE. Tables under the views of bills and electricity, in which a month is once more by plan.

Each plan is a tenant of its own: ``3 acme`` is what acme used, under the labels of the fourth plan.
So the very views that bill a tenant bill its plans, all of one state of the registers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Final

from schemas.canary import NO_CANARY_TENANT
from services.billing.periods import Period
from services.billing.plans.plan import Labels, Plan, length
from services.billing.rerate_sql import ColumnType, Views, values_query

#: What of the slices is compared: a month, of one tenant or of all; parameters of the query.
WITHIN: Final = (
    "window_start >= toDateTime({start:Date}, 'UTC')"
    f" AND window_start < toDateTime({{end:Date}}, 'UTC') AND {NO_CANARY_TENANT}"
)
OF_TENANT: Final = " AND tenant = {tenant:String}"
#: The number of a plan, of what is now the tenant.
PLAN_OF: Final = "toUInt16(splitByChar(' ', tenant)[1])"
_LABELS: Final = ("region", "provider", "model")
_COLUMNS: Final = (
    ColumnType("plan", "UInt16", ""),
    *(ColumnType(name, "String", "") for name in _LABELS),
    *(ColumnType(f"new_{name}", "String", "") for name in _LABELS),
    ColumnType("tier", "Nullable(String)", ""),
    ColumnType("shift_seconds", "Int64", ""),
)
_SLICES: Final = """
SELECT
    s.* REPLACE (
        toDateTime({start} + positiveModulo(
            toInt64(toUnixTimestamp(s.window_start)) - {start} + m.shift_seconds, {length}
        ), 'UTC') AS window_start,
        concat(toString(m.plan), ' ', toString(s.tenant)) AS tenant,
        m.new_region AS region,
        m.new_provider AS provider,
        m.new_model AS model{more}
    )
FROM
(
    SELECT * FROM `{database}`.{table} FINAL WHERE {within}
    SETTINGS do_not_merge_across_partitions_select_final = 1
) AS s
INNER JOIN ({map}) AS m ON m.region = s.region AND m.provider = s.provider AND m.model = s.model
"""
_TIER: Final = ",\n        ifNull(m.tier, toString(s.service_tier)) AS service_tier"
_TARIFFS: Final = "series_tariffs"
_UNPINNED: Final = "series_tariffs_of_names"
#: The columns of `series_tariffs`; of a tariff that a plan names, the specificity is of no account.
_PINNED: Final = """
SELECT
    region, provider, model, region_zone, tariff_id, valid_from, valid_to, calendar, tou_period,
    specificity
FROM `{database}`.{unpinned}
WHERE (region, provider, model) NOT IN (SELECT region, provider, model FROM ({pins}))
UNION ALL
SELECT
    p.region AS region,
    p.provider AS provider,
    p.model AS model,
    r.time_zone AS region_zone,
    t.tariff_id AS tariff_id,
    t.valid_from AS valid_from,
    t.valid_to AS valid_to,
    t.calendar AS calendar,
    t.tou_period AS tou_period,
    (toUInt8(1), toUInt8(1), toUInt64(0), toUInt8(1), toUInt8(1), t.valid_from, t.tariff_id)
        AS specificity
FROM ({pins}) AS p
INNER JOIN
(
    SELECT DISTINCT
        toString(tariff_id) AS tariff_id, calendar, toString(tou_period) AS tou_period, valid_from,
        valid_to
    FROM `{database}`.tariffs
) AS t ON t.tariff_id = p.tariff_id
LEFT JOIN `{database}`.regions AS r ON r.region = p.region
SETTINGS join_use_nulls = 0
"""


def within(tenant: str | None) -> str:
    """The condition on slices."""
    return WITHIN if tenant is None else WITHIN + OF_TENANT


def tables_under(
    database: str,
    plans: Sequence[Plan],
    labels: Iterable[Labels],
    period: Period,
    tenant: str | None,
) -> dict[str, str]:
    """Queries in the place of the slices' tables: what was metered under ``labels``, by plan.

    What is metered under others is in none of them: so who reads sees that usage came in.
    """
    metered = list(labels)
    start = int(datetime.combine(period.start, time(), UTC).timestamp())
    values = {
        "database": database,
        "start": start,
        "length": length(period) // timedelta(seconds=1),
        "within": within(tenant),
        "map": values_query(_COLUMNS, [one.name for one in _COLUMNS], list(_rows(plans, metered))),
    }
    series = sorted({one.relabelled(each) for one in plans for each in metered})
    return {
        "slices_hour": _SLICES.format(table="slices_hour", more=_TIER, **values),
        "slices_unit": _SLICES.format(table="slices_unit", more="", **values),
        "slices_register": series_query(series),
    }


def series_query(series: Sequence[Labels]) -> str:
    """A query that stands for the register of these: prices are looked for by its labels."""
    return values_query(_COLUMNS[1:4], _LABELS, series)


def pinned(views: Views, plans: Iterable[Plan]) -> Views:
    """The views, in which some usage has the tariff that a plan names, and no other.

    Plans of one query share their labels: with a plan that names tariffs goes no other.
    """
    pins = [(*labels, tariff) for one in plans for labels, tariff in sorted(one.tariffs.items())]
    if not pins:
        return views
    columns = (*_COLUMNS[1:4], ColumnType("tariff_id", "String", ""))
    query = values_query(columns, [one.name for one in columns], pins)
    text = _PINNED.format(database=views.database, unpinned=_UNPINNED, pins=query)
    texts: Mapping[str, str] = views.texts
    return Views(views.database, {**texts, _UNPINNED: texts[_TARIFFS], _TARIFFS: text})


def _rows(plans: Sequence[Plan], metered: Iterable[Labels]) -> Iterable[tuple[object, ...]]:
    for labels in metered:
        for number, one in enumerate(plans):
            tier = one.tiers.get(labels)
            yield (number, *labels, *one.relabelled(labels), tier, 3600 * one.shift_hours)
