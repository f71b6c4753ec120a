"""Reads charges at the prices that are loaded and at those of a folder, in one query."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from schemas.catalogue import Catalogue
from schemas.catalogue.rows import TableRows, table_rows
from services.billing.rerate import Line, Rated, Rerating, Tally
from services.billing.rerate_sql import ColumnType, Views, values_query
from services.billing.stored_views import LONG_QUERY, read_views
from services.billing.tariff_prices import with_tariffs_of
from services.platform.clickhouse import all_rows, changeable, mapped_errors
from services.platform.errors import ConfigurationError, UnavailableError

_WITHIN: Final = (
    "window_start >= toDateTime({start:Date}, 'UTC')"
    " AND window_start < toDateTime({end:Date}, 'UTC')"
)
_OF_TENANT: Final = " AND tenant = {tenant:String}"
_KEY: Final = (
    "window_start, tenant, region, provider, model, toString(entry) AS booked, token_class, unit,"
    " service_tier, context_band"
)
_PRICED: Final = "tou_period, price, amount, currency, quantity"
#: Each charge at both lists, and then all that are alike together. `charge_parts` is `charges` that
#: nobody grouped by hour yet, as is done here. Sums of many slices are wider than one slice's
#: amount, and nothing is rounded.
_LINES: Final = """
WITH {tables}
SELECT
    tenant, provider, model, booked, token_class, unit, service_tier, context_band,
    old_period, old_price, old_currency, new_period, new_price, new_currency,
    sum(old_quantity), sum(new_quantity), sum(old_amount), sum(new_amount)
FROM
(
    SELECT
        tenant, provider, model, booked, token_class, unit, service_tier, context_band,
        anyIf(tou_period, list = 'old') AS old_period,
        anyIf(price, list = 'old') AS old_price,
        sumIf(toDecimal256(amount, 15), list = 'old') AS old_amount,
        anyIf(currency, list = 'old') AS old_currency,
        sumIf(toUInt256(quantity), list = 'old') AS old_quantity,
        anyIf(tou_period, list = 'new') AS new_period,
        anyIf(price, list = 'new') AS new_price,
        sumIf(toDecimal256(amount, 15), list = 'new') AS new_amount,
        anyIf(currency, list = 'new') AS new_currency,
        sumIf(toUInt256(quantity), list = 'new') AS new_quantity
    FROM
    (
        SELECT 'old' AS list, {key}, {priced} FROM `{database}`.charge_parts WHERE {within}
        UNION ALL
        SELECT 'new' AS list, {key}, {priced} FROM charge_parts WHERE {within}
    )
    GROUP BY
        window_start, tenant, region, provider, model, booked, token_class, unit, service_tier,
        context_band
)
GROUP BY
    tenant, provider, model, booked, token_class, unit, service_tier, context_band,
    old_period, old_price, old_currency, new_period, new_price, new_currency
ORDER BY ALL
"""
_DEMAND: Final = """
SELECT demand_charge_id, region, valid_from, valid_to, usd_per_token_per_second FROM demand_charges
"""
#: What was ever metered is in it.
_REGISTERS: Final = "slices_register"
_SERIES: Final = """
SELECT DISTINCT toString(region), toString(provider), toString(model) FROM {table}
"""
_COLUMNS: Final = """
SELECT table, position, name, type, if(default_kind = 'DEFAULT', default_expression, '')
FROM system.columns
WHERE database = {database:String} AND default_kind NOT IN ('ALIAS', 'MATERIALIZED')
"""


def read_rerating(
    client: Client, catalogue: Catalogue, start: date, end: date, tenant: str | None
) -> Rerating:
    """Rate the charges of ``start`` up to, but not, ``end`` once more, at a catalogue's prices.

    Both sides are of the view that charges are: one as it is, one with the catalogue's rows in the
    place of its tables. Nothing is written. Raises `ConfigurationError` if the database has no such
    view, `UnavailableError` if it does not answer or usage came in meanwhile.
    """
    database = str(client.database)
    columns = _columns(client, database)
    metered = _metered(client, database, columns)
    # Thousands of models that nobody uses would make a query that a reader may not ask.
    tables = table_rows(with_tariffs_of(catalogue, metered))
    within = _WITHIN if tenant is None else _WITHIN + _OF_TENANT
    text = _LINES.format(
        tables=_tables(client, database, columns, tables),
        key=_KEY,
        priced=_PRICED,
        within=within,
        database=database,
    )
    parameters = {"start": start, "end": end} | ({} if tenant is None else {"tenant": tenant})
    tally = Tally()
    with (
        mapped_errors(),
        client.query_rows_stream(
            text, parameters=parameters, settings=changeable(client, LONG_QUERY)
        ) as rows,
    ):
        for row in rows:
            tally.add(line_of(row))
    if _metered(client, database, columns) != metered:
        raise UnavailableError(
            "a model was used for the first time while it was read: run it again"
        )
    return Rerating(
        start=start,
        end=end,
        tenant=tenant,
        lines=tuple(tally.lines),
        lines_same=tally.lines_same,
        sums=tally.sums(),
        unpriced_old=tally.unpriced_old,
        unpriced_new=tally.unpriced_new,
        demand_differs=_demand_differs(client, tables, start, end),
    )


def _columns(client: Client, database: str) -> dict[str, list[ColumnType]]:
    """The columns of each table, in their order."""
    columns: dict[str, list[ColumnType]] = {}
    for table, _, *column in sorted(all_rows(client, _COLUMNS, {"database": database})):
        columns.setdefault(table, []).append(ColumnType(*column))
    return columns


def _metered(
    client: Client, database: str, columns: Mapping[str, object]
) -> set[tuple[str, str, str]]:
    """All that was ever metered: region, provider and model."""
    if _REGISTERS not in columns:
        raise _lacking(database, _REGISTERS)
    rows = all_rows(client, _SERIES.format(table=_REGISTERS), {})
    return {(region, provider, model) for region, provider, model in rows}


def _tables(
    client: Client,
    database: str,
    columns: Mapping[str, list[ColumnType]],
    tables: tuple[TableRows, ...],
) -> str:
    """What the view `charges` is with these tables, as CTEs."""
    views = read_views(client)
    try:
        queries = {one.table: _values(views, one, columns[one.table]) for one in tables}
        return views.over("charge_parts", queries)
    except KeyError as error:
        raise _lacking(database, error.args[0]) from None


def _lacking(database: str, table: str) -> ConfigurationError:
    return ConfigurationError(f"the database {database} lacks {table!r}: run `wattoken migrate`")


def _values(views: Views, table: TableRows, columns: list[ColumnType]) -> str:
    """A table's rows as a query, without what no view reads: a reader's queries are not long."""
    read = set(views.columns_read(table.table, [column.name for column in columns]))
    places = [place for place, name in enumerate(table.columns) if name in read]
    return values_query(
        [column for column in columns if column.name in read],
        [table.columns[place] for place in places],
        [tuple(row[place] for place in places) for row in table.rows],
    )


def line_of(row: tuple[Any, ...]) -> Line:
    """The line of a row; raises `UnavailableError` if the two lists saw other usage."""
    tenant, provider, model, entry, token_class, unit, tier, band, *rated = row
    old_period, old_price, old_currency, new_period, new_price, new_currency, *sums = rated
    old_quantity, new_quantity, old_amount, new_amount = sums
    if old_quantity != new_quantity:
        raise UnavailableError(
            f"usage of {tenant!r} came in while it was read: run it again, or end with an hour"
            " that is over"
        )
    return Line(
        tenant=tenant,
        provider=provider,
        model=model,
        entry=entry,
        token_class=token_class,
        unit=unit,
        service_tier=tier,
        context_band=int(band),
        quantity=int(old_quantity),
        old=Rated(old_period, old_price, old_amount, old_currency),
        new=Rated(new_period, new_price, new_amount, new_currency),
    )


def _demand_differs(client: Client, tables: tuple[TableRows, ...], start: date, end: date) -> bool:
    """Whether other demand charges would hold within the time."""
    (new,) = (one for one in tables if one.table == "demand_charges")
    begin, until = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (start, end))

    def holding(rows: Any) -> set[tuple[Any, ...]]:
        found = set()
        for name, region, since, to, price, *_ in rows:
            times = since.replace(tzinfo=UTC), to.replace(tzinfo=UTC)
            if times[0] < until and begin < times[1]:
                found.add((name, region, *times, price))
        return found

    return holding(all_rows(client, _DEMAND, {})) != holding(new.rows)
