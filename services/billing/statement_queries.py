"""Reads statements from ClickHouse: lines, adjustments, meter readings, daily load."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from schemas.canary import NO_CANARY_TENANT
from schemas.measures import MEASURES
from services.billing.adjustments import AdjustingEvent, Charge, Place, priced_adjustments
from services.billing.electricity_queries import read_electricity
from services.billing.periods import Period
from services.billing.rates import Rate, RateBook
from services.billing.statement import REGISTERS, Adjustment, Line, Reading, Statement
from services.platform.clickhouse import all_rows
from services.platform.errors import ConfigurationError

#: Measures that count requests, or what counts already.
_COUNTS: Final = frozenset({"requests", "failed_requests", "estimated_tokens"})
#: Tenants that are read together: so many have no more lines than fit into one answer.
TENANTS_AT_ONCE: Final = 50
LINES: Final = """
SELECT tenant, period_start, line, region, provider, model, entry, service_tier, context_band,
       token_class, unit, tou_period, tariff_id, quantity, currency, price, peak_hour,
       demand_tokens_per_second, usd_per_token_per_second, amount
FROM statements
WHERE tenant IN {tenants:Array(String)} AND period_start IN ({start:Date}, {before:Date})
    AND line != 'total'
"""
#: The order of the kinds of lines on a bill.
KINDS: Final = ("energy", "adjustment", "demand", "unpriced")
#: Midnights in UTC, whatever the server's own time zone.
START: Final = "toDateTime({start:Date}, 'UTC')"
END: Final = "toDateTime({end:Date}, 'UTC')"
#: A tenant has no row in `registers`: its readings are sums of its hours, as far as they are kept.
READINGS: Final = f"""
SELECT tenant,
       {", ".join(f"sumIf({name}, window_start < {START}), sum({name})" for name, _ in REGISTERS)}
FROM usage_hour_parts
WHERE tenant IN {{tenants:Array(String)}} AND window_start < {END}
GROUP BY tenant
"""
DAYS: Final = f"""
SELECT tenant, toDate(window_start) AS day, sum(input_tokens + output_tokens) AS tokens
FROM usage_hour_parts
WHERE tenant IN {{tenants:Array(String)}} AND window_start >= {START} AND window_start < {END}
GROUP BY tenant, day
"""
#: What debits and credits of each hour were charged, and the events that they are.
CHARGES: Final = f"""
SELECT tenant, window_start, region, provider, model, toString(entry), service_tier, context_band,
       token_class, unit, quantity, currency, price, amount
FROM charges
WHERE tenant IN {{tenants:Array(String)}} AND window_start >= {START} AND window_start < {END}
    AND entry != 'usage'
"""
EVENT_MEASURES: Final = tuple(name for name in MEASURES if name not in _COUNTS)
EVENTS: Final = f"""
SELECT tenant, window_start, region, provider, model, toString(entry), service_tier, context_band,
       event_time, id, source, adjusts, reason, units, {", ".join(EVENT_MEASURES)}
FROM adjustments FINAL
WHERE tenant IN {{tenants:Array(String)}} AND window_start >= {START} AND window_start < {END}
"""
#: Who has a statement: whoever was metered, be it requests without a token. Asked of the slices,
#: and without FINAL: versions of a row differ in numbers, never in names.
TENANTS: Final = f"""
SELECT DISTINCT tenant FROM slices_hour
WHERE window_start >= {START} AND window_start < {END} AND {NO_CANARY_TENANT}
"""
ONE_TENANT: Final = f"{TENANTS} AND tenant IN {{tenants:Array(String)}}"
RATES: Final = """
SELECT from_currency, to_currency, day, rate, source, source_date, max_age_days FROM exchange_rates
"""


def read_tenants(client: Client, period: Period) -> list[str]:
    """All tenants that were metered in a period, by name. Raises `UnavailableError`."""
    return sorted(str(name) for (name,) in _rows(client, TENANTS, _names(period, ())))


def read_rates(client: Client) -> RateBook:
    """All rates of exchange that `wattoken migrate` loaded. Raises `UnavailableError`."""
    rows = all_rows(client, RATES, {})
    return RateBook((Rate(*row[:-1]) for row in rows), max((row[-1] for row in rows), default=0))


def read_statement(client: Client, tenant: str, period: Period, now: datetime) -> Statement:
    """Read one tenant's statement of one period.

    Raises `ConfigurationError`, naming tenants that have one, if the tenant was not metered in it;
    `UnavailableError` if ClickHouse does not answer.
    """
    if not _rows(client, ONE_TENANT, _names(period, [tenant])):
        others = ", ".join(read_tenants(client, period)[:10]) or "nobody was"
        raise ConfigurationError(
            f"{tenant!r} was not metered in {period.start:%Y-%m}; who was: {others}"
        )
    (statement,) = read_statements(client, [tenant], period, now)
    return statement


def read_statements(
    client: Client, tenants: Sequence[str], period: Period, now: datetime
) -> list[Statement]:
    """Read the statements of some tenants, in their order; `TENANTS_AT_ONCE` at most.

    Raises `UnavailableError` if ClickHouse does not answer.
    """
    names = _names(period, tenants)
    lines: dict[tuple[str, date], list[Line]] = defaultdict(list)
    for tenant, start, *row in sorted(_rows(client, LINES, names), key=lambda one: _order(one[2:])):
        lines[tenant, start].append(Line(*row))
    sums = {tenant: columns for tenant, *columns in _rows(client, READINGS, names)}
    adjustments = _adjustments(client, names)
    electricity = read_electricity(client, names)
    tokens = {(tenant, day): int(count) for tenant, day, count in _rows(client, DAYS, names)}
    return [
        Statement(
            tenant=tenant,
            period_start=period.start,
            period_end=period.end,
            running=period.is_running(now),
            readings=_readings(sums.get(tenant, [0] * 2 * len(REGISTERS))),
            lines=tuple(lines[tenant, period.start]),
            daily_tokens=tuple((day, tokens.get((tenant, day), 0)) for day in period.days(now)),
            adjustments=adjustments.get(tenant, ()),
            before_start=period.before,
            before=tuple(lines[tenant, period.before]),
            electricity=electricity.get(tenant, ()),
        )
        for tenant in tenants
    ]


def _adjustments(client: Client, names: Mapping[str, Any]) -> dict[str, tuple[Adjustment, ...]]:
    """Debits and credits by tenant; the events are asked for only where something was charged."""
    charges: dict[str, list[Charge]] = defaultdict(list)
    for tenant, *row in _rows(client, CHARGES, names):
        token_class, unit, *values = row[7:]
        charges[tenant].append(Charge(_place(row), unit or token_class, bool(unit), *values))
    if not charges:
        return {}
    events: dict[str, list[AdjustingEvent]] = defaultdict(list)
    for tenant, *row in _rows(client, EVENTS, names):
        time, event_id, source, adjusts, reason, units, *measures = row[7:]
        events[tenant].append(
            AdjustingEvent(
                place=_place(row),
                time=time.replace(tzinfo=UTC),
                event_id=event_id,
                source=source,
                adjusts=adjusts,
                reason=reason,
                measures=dict(zip(EVENT_MEASURES, measures, strict=True)),
                units=units,
            )
        )
    return {tenant: priced_adjustments(events[tenant], found) for tenant, found in charges.items()}


def _place(row: Sequence[Any]) -> Place:
    hour, *labels = row[:7]
    return Place(hour.replace(tzinfo=UTC), *labels)


def _readings(sums: Sequence[int]) -> tuple[Reading, ...]:
    return tuple(
        Reading(name, int(sums[2 * place]), int(sums[2 * place + 1]))
        for place, (_, name) in enumerate(REGISTERS)
    )


def _names(period: Period, tenants: Sequence[str]) -> dict[str, Any]:
    return {
        "tenants": list(tenants),
        "start": period.start,
        "end": period.end,
        "before": period.before,
    }


def _rows(client: Client, query: str, names: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
    # Only what the text names is sent: ClickHouse takes further parameters for a mistake.
    given = {name: value for name, value in names.items() if f"{{{name}:" in query}
    return all_rows(client, query, given)


def _order(row: Sequence[Any]) -> tuple[Any, ...]:
    """Give what the lines of a bill are sorted by: kind, then each column; what is None last."""
    kind, *columns = row
    known = [(value is None, 0 if value is None else value) for value in columns]
    return KINDS.index(kind), *known
