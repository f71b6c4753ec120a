"""Holds the families against each other and against the checkpoints, while they grow.

Two sums over a meter that runs are never taken at one moment. So the smaller one's partner is
read before *and* after it: as all of them only grow, a sum between the two differs by nothing but
the time it was read at. Only what lies outside is a difference. Left is the moment of a flush,
in which one family's rows are written and the next one's are not; it is over at the next reading.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from services.exporter.rows import Reconciliation
from services.platform.clickhouse import all_rows

#: Hours are kept for 400 days and dropped by the month: with one this old, some may be missing.
COMPARABLE_DAYS: Final = 365

REGISTERS_SQL: Final = "SELECT events, tokens FROM register_totals"
ACCEPTED_SQL: Final = "SELECT sum(toUInt128(accepted)) FROM checkpoints FINAL"
ALL_HOURS_SQL: Final = "SELECT sum(tokens), min(day) FROM hour_totals"
HOURS_SQL: Final = "SELECT sum(tokens) FROM hour_totals WHERE day >= {since:Date}"
MINUTES_SQL: Final = "SELECT sum(tokens) FROM minute_totals WHERE day >= {since:Date}"


def read_reconciliation(client: Client) -> Reconciliation:
    """Compare once. Raises `UnavailableError` and `ConfigurationError`."""
    today = datetime.now(UTC).date()
    since = {"since": today - timedelta(days=1)}
    (accepted_before,) = _row(client, ACCEPTED_SQL)
    _, registers_before = _row(client, REGISTERS_SQL)
    hours, oldest = _row(client, ALL_HOURS_SQL)
    events, registers_after = _row(client, REGISTERS_SQL)
    (accepted_after,) = _row(client, ACCEPTED_SQL)
    (hours_before,) = _row(client, HOURS_SQL, since)
    (minutes,) = _row(client, MINUTES_SQL, since)
    (hours_after,) = _row(client, HOURS_SQL, since)
    return Reconciliation(
        registers_less_hours_tokens=(
            difference(registers_before, hours, registers_after)
            if comparable(oldest, today)
            else None
        ),
        hours_less_minutes_tokens=difference(hours_before, minutes, hours_after),
        accepted_less_events=difference(accepted_before, events, accepted_after),
    )


def difference(before: int, between: int, after: int) -> int:
    """Give what ``between`` lacks to ``before`` (above 0) or exceeds ``after`` by (below 0)."""
    return max(0, before - between) + min(0, after - between)


def comparable(oldest: date, today: date) -> bool:
    """Tell whether no hour can have been dropped yet. An empty table's oldest day is 1970."""
    return oldest == date(1970, 1, 1) or (today - oldest).days < COMPARABLE_DAYS


def _row(client: Client, sql: str, parameters: dict[str, Any] | None = None) -> Any:
    (row,) = all_rows(client, sql, parameters or {})
    return row
