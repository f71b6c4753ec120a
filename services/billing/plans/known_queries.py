"""Reads what plans can be made of: what was metered, and whose prices the database has for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from services.billing.periods import Period
from services.billing.plans.known import Known, candidates, sellers_of
from services.billing.plans.outcome import Outcome
from services.billing.plans.plan import Labels, Used
from services.billing.plans.plan_sql import series_query, within
from services.billing.rerate_sql import Views
from services.billing.stored_views import LONG_QUERY
from services.platform.clickhouse import all_rows, changeable

_USED: Final = """
SELECT
    toString(region), toString(provider), toString(model),
    sumIf(toUInt128(s.input_tokens) + s.output_tokens, entry = 'usage')
FROM slices_hour AS s FINAL
WHERE {within}
GROUP BY region, provider, model
"""
#: Within a month a tariff may begin and end; what bills each hour the bill itself decides.
_HOLDS: Final = (
    "valid_from < toDateTime({end:Date}, 'UTC') AND valid_to > toDateTime({start:Date}, 'UTC')"
)
_FITTING: Final = f"""
SELECT DISTINCT region, provider, model, tariff_id FROM series_tariffs WHERE {_HOLDS}
"""
_WINNING: Final = f"""
SELECT region, provider, model, argMax(tariff_id, specificity)
FROM series_tariffs
WHERE {_HOLDS}
GROUP BY region, provider, model
"""
_TARIFFS: Final = """
SELECT tariff_id, any(provider), any(list), groupUniqArray(toString(service_tier))
FROM tariffs
GROUP BY tariff_id
"""
_PROVIDERS: Final = """
SELECT DISTINCT toString(provider) FROM listed_models
UNION DISTINCT
SELECT DISTINCT toString(provider) FROM tariffs WHERE list = '' AND provider != '*'
"""
_LISTED: Final = "SELECT DISTINCT provider, name FROM listed_models WHERE name != ''"
_REGIONS: Final = "SELECT region FROM regions"
#: Periods of lines that no calendar decided.
_TIMELESS: Final = {"", "flat", "unpriced"}


def read_used(client: Client, period: Period, tenant: str | None) -> tuple[Used, ...]:
    """What was metered of a month, most tokens first. Raises `UnavailableError`."""
    given = {} if tenant is None else {"tenant": tenant}
    rows = all_rows(client, _USED.format(within=within(tenant)), _month(period) | given)
    used = (Used(Labels(*labels), int(tokens)) for *labels, tokens in rows)
    return tuple(sorted(used, key=lambda one: (-one.tokens, one.labels)))


def read_known(
    client: Client, views: Views, period: Period, used: tuple[Used, ...], actual: Outcome
) -> Known:
    """What else the database has prices for; ``actual`` says what bills what was used.

    Raises `UnavailableError`.
    """
    labels = [one.labels for one in used]
    tariffs = {str(name): row for name, *row in all_rows(client, _TARIFFS, {})}
    fitting: dict[str, set[Labels]] = defaultdict(set)
    for *series, name in all_rows(client, _FITTING, _month(period)):
        fitting[name].add(Labels(*series))
    return Known(
        used=used,
        billed=_billed(actual),
        by_time_of_use=any(line.tou_period not in _TIMELESS for line in actual.lines),
        fitting={
            name: frozenset(found & set(labels))
            for name, found in fitting.items()
            if not found.isdisjoint(labels)
        },
        sellers=_sellers(client, views, period, labels, tariffs),
        regions=frozenset(str(name) for (name,) in all_rows(client, _REGIONS, {})),
        tiers={name: frozenset(tiers) for name, (_, _, tiers) in tariffs.items()},
    )


def _billed(actual: Outcome) -> dict[Labels, frozenset[str]]:
    found: dict[Labels, set[str]] = defaultdict(set)
    for line in actual.lines:
        if line.kind in ("energy", "adjustment"):
            found[Labels(line.region, line.provider, line.model)].add(line.tariff_id)
    return {labels: frozenset(names) for labels, names in found.items()}


def _sellers(
    client: Client,
    views: Views,
    period: Period,
    labels: Iterable[Labels],
    tariffs: Mapping[str, Sequence[Any]],
) -> dict[str, dict[Labels, str]]:
    """Who has a price of its own: a tariff for any provider is no offer of one."""
    providers = [str(name) for (name,) in all_rows(client, _PROVIDERS, {})]
    listed = [(str(provider), str(name)) for provider, name in all_rows(client, _LISTED, {})]
    tried = candidates(labels, providers, listed)
    if not tried:
        return {}
    tables = views.over("series_tariffs", {"slices_register": series_query(sorted(tried))})
    query = f"WITH {tables}\n{_WINNING}"
    rows = all_rows(client, query, _month(period), changeable(client, LONG_QUERY))
    priced = [Labels(*series) for *series, name in rows if _named(tariffs.get(name))]
    return sellers_of(tried, priced)


def _named(tariff: Sequence[Any] | None) -> bool:
    """Whether a tariff is of a list, or by hand for a provider that it names."""
    return tariff is not None and (tariff[0] != "*" or bool(tariff[1]))


def _month(period: Period) -> dict[str, Any]:
    return {"start": period.start, "end": period.end}
