"""Reads the meter's side from ClickHouse: views alone, and the dead letters."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from schemas.canary import NO_CANARY_REGION
from services.platform.clickhouse import all_rows
from services.platform.errors import ConfigurationError
from services.reconcile.bill import Days
from services.reconcile.metered import (
    MEASURES,
    Charge,
    Meter,
    Quantities,
    Refused,
    Requests,
    Usage,
    classes_of,
)

#: Debits are usage that was posted later, credits usage that was taken back.
SIGN: Final = "if(entry = 'credit', -1, 1)"
#: Midnights in UTC, whatever the server's own time zone.
WITHIN: Final = (
    "window_start >= toDateTime({start:Date}, 'UTC')"
    " AND window_start < toDateTime({end:Date}, 'UTC')"
    " AND provider IN {providers:Array(String)}"
)
#: Which hours of a day count for `Quantities`: all, the first, the last, those after the export.
EDGES: Final = (
    "1",
    "toHour(window_start) = 0",
    "toHour(window_start) = 23",
    "window_start + INTERVAL 1 HOUR > {made_at:DateTime('UTC')}",
)
#: Providers are few, and known to the registers as long as the meter is.
PROVIDERS: Final = f"SELECT DISTINCT provider FROM registers WHERE {NO_CANARY_REGION}"
USAGE: Final = f"""
SELECT toDate(window_start) AS day, provider, model, service_tier, context_band,
       {", ".join(f"sumForEach(arrayMap(n -> if({edge}, n, 0), measures))" for edge in EDGES)}
FROM
(
    SELECT window_start, provider, model, service_tier, context_band,
           arrayMap(n -> toInt256(n) * {SIGN}, [{", ".join(MEASURES)}]) AS measures
    FROM usage_hour_entries
    WHERE {WITHIN} {{filters}}
)
GROUP BY day, provider, model, service_tier, context_band
"""
UNITS: Final = f"""
SELECT toDate(window_start) AS day, provider, model, unit,
       {", ".join(f"sumIf(toInt256(quantity) * {SIGN}, {edge})" for edge in EDGES)}
FROM usage_unit_hours
WHERE {WITHIN} {{filters}}
GROUP BY day, provider, model, unit
"""
CHARGES: Final = f"""
SELECT toDate(window_start) AS day, provider, model, service_tier, context_band,
       if(unit = '', token_class, unit) AS billed_as,
       sum(toInt256(quantity) * {SIGN}),
       ifNull(sum(toDecimal256(c.amount, 15)), toDecimal256(0, 15)),
       min(c.price) AS lowest,
       max(c.price) AS highest,
       sumIf(toInt256(quantity) * {SIGN}, isNull(c.amount)),
       unit != '' AS is_unit,
       currency
FROM charge_parts AS c
WHERE {WITHIN} {{filters}}
GROUP BY day, provider, model, service_tier, context_band, billed_as, is_unit, currency
"""
REQUESTS: Final = f"""
SELECT toDate(window_start) AS day, provider, model,
       sum(u.requests), sum(u.failed_requests), sum(u.estimated_tokens)
FROM usage_hour_parts AS u
WHERE {WITHIN} {{filters}}
GROUP BY day, provider, model
"""
#: What was refused and names its time, provider, model and tokens; one of a gateway's own format
#: never lies here. A letter that was put back stays, so this may be more than what is missing.
REFUSED: Final = """
SELECT toDate(at) AS day, provider, model, reason, count(), sum(input), sum(output)
FROM
(
    SELECT parseDateTime64BestEffortOrNull(JSONExtractString(payload, 'time'), 3, 'UTC') AS at,
           JSONExtractString(payload, 'provider') AS provider,
           JSONExtractString(payload, 'model') AS model,
           JSONExtractString(payload, 'tenant') AS tenant,
           JSONExtractString(payload, 'region') AS region,
           toString(reason) AS reason,
           toInt256(JSONExtractUInt(payload, 'input_tokens')) AS input,
           toInt256(JSONExtractUInt(payload, 'output_tokens')) AS output
    FROM dead_letters FINAL
    WHERE append_time >= toDateTime({start:Date}, 'UTC')
)
WHERE at >= toDateTime({start:Date}, 'UTC') AND at < toDateTime({end:Date}, 'UTC')
    AND provider IN {providers:Array(String)} {filters}
GROUP BY day, provider, model, reason
"""
COUNTS: Final = """
SELECT max(newest_event), sum(c.duplicate), sumMap(c.rejected)
FROM checkpoints AS c FINAL
HAVING count() > 0
"""
#: Gives the names of provider and model that are compared.
Named = Callable[[str, str], tuple[str, str]]
#: Prices are of so many.
PER_TOKEN: Final = Decimal("0.000001")
PER_UNIT: Final = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class Selection:
    """What of the meter is held against the bill.

    ``made_at`` is when the bill was made, or a little before: what was metered after it cannot be
    on it. ``charges`` says whether amounts are compared.
    """

    span: Days
    made_at: datetime
    tenant: str | None
    region: str | None
    charges: bool


def read_providers(client: Client) -> list[str]:
    """Give the names of providers as they were metered."""
    return [str(name) for (name,) in all_rows(client, PROVIDERS, {})]


def read_meter(
    client: Client,
    chosen: Selection,
    providers: Collection[str],
    named: Named,
) -> Meter:
    """Read what was metered of these providers, names given by ``named``.

    Raises `UnavailableError` if ClickHouse does not answer, `ConfigurationError` if what was
    metered is charged in several currencies.
    """
    values: dict[str, Any] = {
        "start": chosen.span.first,
        "end": chosen.span.end,
        "made_at": chosen.made_at.astimezone(UTC).replace(tzinfo=None),
        "providers": list(providers),
        "tenant": chosen.tenant,
        "region": chosen.region,
    }
    filters = "".join(
        f" AND {name} = {{{name}:String}}"
        for name in ("tenant", "region")
        if values[name] is not None
    )

    def rows(query: str) -> Sequence[tuple[Any, ...]]:
        text = query.replace("{filters}", filters)
        # Only what the text names is sent: ClickHouse takes further parameters for a mistake.
        given = {name: value for name, value in values.items() if f"{{{name}:" in text}
        return all_rows(client, text, given)

    usage = [one for row in rows(USAGE) for one in _usage(row, named)]
    usage += [_unit(row, named) for row in rows(UNITS)]
    charges = rows(CHARGES) if chosen.charges else ()
    counts = all_rows(client, COUNTS, {})
    newest, duplicates, rejected = counts[0] if counts else (None, 0, ([], []))
    return Meter(
        usage=tuple(usage),
        charges=tuple(_charge(row, named) for row in charges),
        requests=tuple(
            Requests(day, *named(provider, model), int(count), int(failed), int(estimated))
            for day, provider, model, count, failed, estimated in rows(REQUESTS)
        ),
        refused=tuple(
            Refused(day, *named(provider, model), str(reason), *map(int, numbers))
            for day, provider, model, reason, *numbers in rows(REFUSED)
        ),
        currency=_currency(charges),
        newest_event=None if newest is None else _utc(newest),
        duplicates=int(duplicates),
        rejected=_counts(rejected),
    )


def _usage(row: tuple[Any, ...], named: Named) -> list[Usage]:
    """Give a row's tokens by class, each with what of it lies at the edges of the day."""
    day, provider, model, tier, band, *edges = row
    by_edge = [classes_of(dict(zip(MEASURES, map(int, sums), strict=True))) for sums in edges]
    names = dict.fromkeys(name for classes in by_edge for name in classes)
    return [
        Usage(
            *(day, *named(provider, model), str(tier), int(band), name),
            Quantities(*(classes.get(name, 0) for classes in by_edge)),
        )
        for name in names
    ]


def _unit(row: tuple[Any, ...], named: Named) -> Usage:
    day, provider, model, unit, *edges = row
    return Usage(day, *named(provider, model), "", 0, str(unit), Quantities(*map(int, edges)))


def _charge(row: tuple[Any, ...], named: Named) -> Charge:
    day, provider, model, tier, band, billed_as, quantity, amount, low, high, unpriced, unit, _ = (
        row
    )
    one = PER_UNIT if unit else PER_TOKEN
    return Charge(
        *(day, *named(provider, model), str(tier), int(band), str(billed_as)),
        quantity=int(quantity),
        amount=Decimal(amount),
        lowest=None if low is None else low * one,
        highest=None if high is None else high * one,
        unpriced=int(unpriced),
    )


def _currency(charges: Sequence[tuple[Any, ...]]) -> str:
    # What no price fits has no currency.
    found = sorted({str(row[-1]) for row in charges} - {""})
    if len(found) > 1:
        raise ConfigurationError(
            f"what was metered of these providers is charged in {' and '.join(found)}: give"
            " --provider, so that one currency is left"
        )
    return found[0] if found else ""


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _counts(told: Any) -> dict[str, int]:
    """Give a map as a dict; the driver has it as one, or as keys and values."""
    if isinstance(told, Mapping):
        return {str(name): int(count) for name, count in told.items()}
    keys, values = told
    return {str(name): int(count) for name, count in zip(keys, values, strict=True)}
