"""Reads what a month comes to under plans, from the views that bill it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from services.billing.electricity import NONE, Electricity
from services.billing.electricity_queries import SUMS, electricity_of
from services.billing.exact import ZERO
from services.billing.periods import Period
from services.billing.plans.outcome import Outcome, PlanLine
from services.billing.plans.plan import Labels, Plan
from services.billing.plans.plan_sql import PLAN_OF, pinned, tables_under
from services.billing.rerate_sql import Views
from services.billing.stored_views import LONG_QUERY
from services.platform.clickhouse import all_rows, changeable
from services.platform.errors import ConfigurationError, UnavailableError

#: So many plans are in one query: what a month of one tenant takes is little, and a server's
#: memory is not.
PLANS_AT_ONCE: Final = 8
_LINES: Final = f"""
WITH {{tables}}
SELECT
    {PLAN_OF} AS plan, toString(line), region, provider, model, entry, service_tier, context_band,
    token_class, unit, tou_period, tariff_id, currency,
    ifNull(price, usd_per_token_per_second) AS plan_price,
    sum(toUInt256(quantity)), sum(amount)
FROM statements
WHERE line != 'total'
GROUP BY
    plan, line, region, provider, model, entry, service_tier, context_band, token_class, unit,
    tou_period, tariff_id, currency, plan_price
"""
_ELECTRICITY: Final = f"""
WITH {{tables}}
SELECT {PLAN_OF} AS plan, {SUMS}
FROM energy_parts AS e
GROUP BY plan
"""


def read_outcomes(
    client: Client,
    views: Views,
    period: Period,
    tenant: str | None,
    labels: Sequence[Labels],
    plans: Sequence[Plan],
    done: Callable[[int], None] = lambda count: None,
) -> list[Outcome]:
    """What a month comes to under each plan, in their order; ``labels`` are all that was metered.

    ``done`` is told how many there are so far. Nothing is written. Raises `ConfigurationError` if
    the database lacks a view, `UnavailableError` if it does not answer.
    """
    found: list[Outcome] = []
    for some in _together(plans):
        tables = tables_under(views.database, some, labels, period, tenant)
        given: dict[str, Any] = {"start": period.start, "end": period.end}
        given |= {} if tenant is None else {"tenant": tenant}
        over = pinned(views, some)
        lines: dict[int, list[PlanLine]] = defaultdict(list)
        for number, *row in _rows(client, over, "statements", _LINES, tables, given):
            lines[number].append(_line(row))
        electricity: dict[int, Electricity] = {
            number: electricity_of(sums)
            for number, *sums in _rows(client, over, "energy_parts", _ELECTRICITY, tables, given)
        }
        found += [
            Outcome(one, tuple(sorted(lines[number], key=_place)), electricity.get(number, NONE))
            for number, one in enumerate(some)
        ]
        done(len(found))
    return found


def same_usage(actual: Outcome, plans: Sequence[Outcome]) -> None:
    """See that all were read of one state of the registers.

    Raises `UnavailableError` if usage came in meanwhile.
    """
    for one in plans:
        tokens = one.electricity.tokens
        if one.used() != actual.used() or tokens != actual.electricity.tokens:
            raise UnavailableError(
                "usage came in while it was read: run it again, or take a month that is over"
            )


def _together(plans: Sequence[Plan]) -> Iterator[Sequence[Plan]]:
    """Parts of the plans that one query may have: one that names tariffs is alone."""
    some: list[Plan] = []
    for one in plans:
        if some and (one.tariffs or some[-1].tariffs or len(some) == PLANS_AT_ONCE):
            yield some
            some = []
        some.append(one)
    if some:
        yield some


def _rows(
    client: Client,
    views: Views,
    root: str,
    text: str,
    tables: dict[str, str],
    given: dict[str, Any],
) -> Sequence[tuple[Any, ...]]:
    try:
        query = text.format(tables=views.over(root, tables))
    except KeyError as error:
        raise ConfigurationError(
            f"the database {views.database} lacks {error.args[0]!r}: run `wattoken migrate`"
        ) from None
    return all_rows(client, query, given, changeable(client, LONG_QUERY))


def _line(row: Sequence[Any]) -> PlanLine:
    *columns, quantity, amount = row
    values: list[Any] = [*columns, int(quantity), amount]
    return PlanLine(*values)


def _place(line: PlanLine) -> tuple[Any, ...]:
    """The order of lines: kind, then each column; what has no price last."""
    *columns, price, _, _ = astuple(line)
    return (*columns, price is None, price or ZERO)
