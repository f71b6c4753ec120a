"""Reads a statement from ClickHouse: lines, meter readings and daily load of one tenant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from services.billing.statement import REGISTERS, Line, Reading, Statement
from services.platform.clickhouse import all_rows
from services.platform.errors import ConfigurationError

LINES: Final = """
SELECT line, region, provider, model, entry, token_class, tou_period, tariff_id, tokens,
       usd_per_million_tokens, peak_hour, demand_tokens_per_second, usd_per_token_per_second,
       amount_usd
FROM statements
WHERE tenant = {tenant:String} AND period_start = {start:Date}
"""
#: The order of the kinds of lines on a bill.
KINDS: Final = ("energy", "adjustment", "demand", "unpriced", "total")
#: Midnights in UTC, whatever the server's own time zone.
START: Final = "toDateTime({start:Date}, 'UTC')"
END: Final = "toDateTime({end:Date}, 'UTC')"
#: A tenant has no row in `registers`: its readings are sums of its hours, as far as they are kept.
READINGS: Final = f"""
SELECT {", ".join(f"sumIf({name}, window_start < {START}), sum({name})" for name, _ in REGISTERS)}
FROM usage_hour
WHERE tenant = {{tenant:String}} AND window_start < {END}
"""
DAYS: Final = f"""
SELECT toDate(window_start) AS day, sum(input_tokens + output_tokens) AS tokens
FROM usage_hour
WHERE tenant = {{tenant:String}} AND window_start >= {START} AND window_start < {END}
GROUP BY day
"""
TENANTS: Final = f"""
SELECT DISTINCT tenant FROM usage_hour
WHERE window_start >= {START} AND window_start < {END}
ORDER BY tenant LIMIT 10
"""


def read_statement(
    client: Client, tenant: str, period_start: date, period_end: date, now: datetime
) -> Statement:
    """Read one tenant's statement of one period.

    Raises `ConfigurationError`, naming tenants that have one, if the tenant used nothing in it;
    `UnavailableError` if ClickHouse does not answer.
    """
    names = {"tenant": tenant, "start": period_start, "end": period_end}

    def rows(query: str) -> Sequence[tuple[Any, ...]]:
        # Only what the text names is sent: ClickHouse takes further parameters for a mistake.
        given = {name: value for name, value in names.items() if f"{{{name}:" in query}
        return all_rows(client, query, given)

    lines = tuple(Line(*row) for row in sorted(rows(LINES), key=line_order))
    if not lines:
        others = ", ".join(sorted(str(name) for (name,) in rows(TENANTS))) or "nobody has"
        raise ConfigurationError(
            f"{tenant!r} used nothing in {period_start:%Y-%m}; who did: {others}"
        )
    (sums,) = rows(READINGS)
    readings = tuple(
        Reading(name, int(sums[2 * place]), int(sums[2 * place + 1]))
        for place, (_, name) in enumerate(REGISTERS)
    )
    tokens = {day: int(amount) for day, amount in rows(DAYS)}
    last = min(period_end, now.astimezone(UTC).date() + timedelta(days=1))
    count = max((last - period_start).days, 1)
    days = (period_start + timedelta(days=number) for number in range(count))
    return Statement(
        tenant=tenant,
        period_start=period_start,
        period_end=period_end,
        running=now.astimezone(UTC).date() < period_end,
        readings=readings,
        lines=lines,
        daily_tokens=tuple((day, tokens.get(day, 0)) for day in days),
    )


def line_order(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Give what the lines of a bill are sorted by: kind, then each column; what is None last."""
    kind, *columns = row
    labels, values = columns[:7], columns[7:]
    known = [(value is None, 0 if value is None else value) for value in values]
    return KINDS.index(kind), *labels, *known
