"""Reads from ClickHouse for FOCUS: a stream of charges, demand charges, what they must sum to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Literal

from clickhouse_connect.driver.client import Client

from schemas.canary import NO_CANARY_TENANT
from services.billing.focus.charge_rows import Charge, DemandCharge, Span
from services.billing.focus.sku import Sku
from services.platform.clickhouse import all_rows, changeable, mapped_errors

Grain = Literal["hour", "day"]
LENGTHS: Final = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
_STARTS: Final = {"hour": "window_start", "day": "toStartOfDay(window_start, 'UTC')"}
#: Midnights in UTC, whatever the server's own time zone.
_WITHIN: Final = (
    "window_start >= toDateTime({start:Date}, 'UTC')"
    " AND window_start < toDateTime({end:Date}, 'UTC')"
)
_OF_TENANT: Final = " AND tenant = {tenant:String}"
#: Sums of many slices are wider than one slice's amount, and nothing is rounded. `charge_parts` is
#: `charges` before it is grouped by hour, which here it is by other things.
_CHARGES: Final = """
SELECT {start} AS start, tenant, provider, model, token_class, unit, region, service_tier,
       context_band, tou_period, toString(entry), tariff_id, sum(toUInt256(quantity)),
       price, sum(toDecimal256(amount, 15)), currency
FROM charge_parts
WHERE {within}
GROUP BY ALL
ORDER BY ALL
"""
_DEMAND: Final = """
SELECT tenant, region, tariff_id, toUInt64(assumeNotNull(demand_tokens_per_second)),
       assumeNotNull(usd_per_token_per_second), assumeNotNull(amount), currency
FROM statements
WHERE period_start = {{start:Date}} AND line = 'demand'{tenant}
"""
_BILLED: Final = """
SELECT tenant, currency, sum(toDecimal256(assumeNotNull(amount), 15))
FROM statements
WHERE period_start = {{start:Date}} AND line NOT IN ('unpriced', 'total'){tenant}
GROUP BY tenant, currency
"""
_METERED: Final = f"""
SELECT tenant, sum(input_tokens + output_tokens)
FROM usage_hour_parts
WHERE {{within}} AND {NO_CANARY_TENANT}
GROUP BY tenant
"""
#: Beyond these the server groups and sorts on its disk: a month of all tenants fits in no memory. A
#: block of rows is what the driver holds at once.
_BOUNDS: Final = {
    "max_block_size": 8192,
    "max_bytes_before_external_group_by": 1 << 30,
    "max_bytes_before_external_sort": 1 << 30,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is exported: charges of one month, of one tenant or of all, by hour or by day."""

    start: date
    end: date
    tenant: str | None
    grain: Grain

    @property
    def period(self) -> Span:
        """The month."""
        return Span(_midnight(self.start), _midnight(self.end))

    def parameters(self, text: str) -> dict[str, Any]:
        """Of what is asked, what a query's text names: ClickHouse takes more for a mistake."""
        given = {"start": self.start, "end": self.end, "tenant": self.tenant}
        return {name: value for name, value in given.items() if f"{{{name}:" in text}


@contextmanager
def charges(client: Client, asked: Asked) -> Iterator[Iterator[Charge]]:
    """Stream the charges, by start, tenant and SKU; none is held.

    A stream that was cut short may look whole: hold what came against `billed` and `metered`.
    Raises `UnavailableError`, also while it is read.
    """
    text = _CHARGES.format(start=_STARTS[asked.grain], within=_within(asked))
    with (
        mapped_errors(),
        client.query_rows_stream(
            text, parameters=asked.parameters(text), settings=changeable(client, _BOUNDS)
        ) as rows,
    ):
        yield (_charge(row, LENGTHS[asked.grain]) for row in rows)


def demand_charges(client: Client, asked: Asked) -> list[DemandCharge]:
    """The month's demand charges, by tenant. Raises `UnavailableError`."""
    found = [DemandCharge(*row) for row in _all(client, _DEMAND, asked)]
    return sorted(found, key=lambda one: (one.tenant, one.scope, one.demand_charge_id))


def billed(client: Client, asked: Asked) -> list[tuple[str, str, Decimal]]:
    """What each tenant's statement comes to in each currency. Raises `UnavailableError`."""
    return [(tenant, currency, amount) for tenant, currency, amount in _all(client, _BILLED, asked)]


def metered(client: Client, asked: Asked) -> dict[str, int]:
    """The tokens that each tenant used, as its meter says. Raises `UnavailableError`."""
    return {tenant: int(tokens) for tenant, tokens in _all(client, _METERED, asked)}


def _all(client: Client, text: str, asked: Asked) -> list[tuple[Any, ...]]:
    tenant = "" if asked.tenant is None else _OF_TENANT
    whole = text.format(within=_within(asked), tenant=tenant)
    return list(all_rows(client, whole, asked.parameters(whole)))


def _within(asked: Asked) -> str:
    return _WITHIN if asked.tenant is None else _WITHIN + _OF_TENANT


def _charge(row: tuple[Any, ...], length: timedelta) -> Charge:
    begins, tenant, *sku, entry, tariff_id, quantity, price, amount, currency = row
    begin = begins.replace(tzinfo=UTC)
    return Charge(
        span=Span(begin, begin + length),
        tenant=tenant,
        sku=Sku(*sku),
        entry=entry,
        tariff_id=tariff_id,
        quantity=int(quantity),
        price=price,
        amount=amount,
        currency=currency,
    )


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
