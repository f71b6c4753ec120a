"""Plan comparison on a real ClickHouse, against the bills of the same events, replayed.

What a plan makes of each event goes through the real decoder, core and sink, as another tenant's;
that tenant's bill and electricity must be what the comparison said of the registers, to the digit.
Prices, ratings and grids are the shipped ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.catalogue.loading import SHIPPED
from schemas.price_class import CONTEXT_THRESHOLDS
from services.billing.electricity_queries import SUMS
from services.billing.electricity_section import electricity_values
from services.billing.plans.outcome import Outcome, PlanLine
from services.billing.plans.outcome_queries import read_outcomes, same_usage
from services.billing.plans.plan import ACTUAL, Labels, Plan
from services.billing.statement_json import plain
from services.billing.stored_views import read_views
from services.platform.errors import UnavailableError
from tests.integration.settlement_world import END_MS, Done, Meter, wattoken
from tests.plan_events import (
    MONTH,
    PERIOD,
    USED,
    Event,
    events,
    month,
    plans,
    records,
    replayed,
)
from tests.versions.database import Database, DatabaseFactory
from tests.versions.effort import examples

#: What a bill's lines are, and what electricity: read of the views as they are.
LINES: Final = """
SELECT toString(line), region, provider, model, entry, service_tier, context_band, token_class,
       unit, tou_period, tariff_id, currency, ifNull(price, usd_per_token_per_second) AS price_of,
       sum(toUInt256(quantity)), sum(amount)
FROM statements
WHERE tenant = {tenant:String} AND line != 'total' AND period_start = {start:Date}
GROUP BY line, region, provider, model, entry, service_tier, context_band, token_class, unit,
       tou_period, tariff_id, currency, price_of
"""
TOOK: Final = f"SELECT {SUMS} FROM energy_parts AS e WHERE tenant = {{tenant:String}}"


@dataclass
class Log:
    """A database, and the records that were metered into it so far."""

    database: Database
    meter: Meter
    client: Client
    tenants: int = 0

    def send(self, given: Sequence[Event]) -> None:
        """Meter events, on two partitions."""
        values = records(given)
        for partition in range(2):
            self.meter.read(partition, values[partition::2], END_MS + 600_000)
        self.meter.flush()

    def fresh(self, given: Sequence[Event]) -> tuple[list[Event], str]:
        """The events with new names of their tenants, and the one that ``a`` has now."""
        self.tenants += 1
        return [one | {"tenant": f"{one['tenant']} {self.tenants}"} for one in given], (
            f"a {self.tenants}"
        )

    def outcomes(self, tenant: str | None, given: Sequence[Plan]) -> list[Outcome]:
        """What the comparison reads of the registers."""
        return read_outcomes(self.client, read_views(self.client), PERIOD, tenant, USED, given)

    def bill(self, tenant: str) -> tuple[set[PlanLine], list[Any]]:
        """What the views say of a tenant: lines, and electricity."""
        rows = self.client.query(LINES, {"tenant": tenant, "start": PERIOD.start}).result_rows
        lines = {PlanLine(*(*row[:-2], int(row[-2]), row[-1])) for row in rows}
        assert len(lines) == len(rows)
        return lines, list(self.client.query(TOOK, {"tenant": tenant}).result_rows[0])

    def compare(self, *arguments: str) -> Done:
        """Run the command."""
        return wattoken(self.database, "compare-plans", MONTH, *arguments)


@contextmanager
def logging(database: Database) -> Iterator[Log]:
    with database.connect() as client:
        yield Log(database, Meter(database, thresholds=CONTEXT_THRESHOLDS), client)


@pytest.fixture(scope="module")
def log(databases: DatabaseFactory) -> Iterator[Log]:
    with logging(databases("plans")) as made:
        yield made


def told(outcome: Outcome) -> tuple[set[PlanLine], list[Any]]:
    """An outcome as `Log.bill` tells a bill."""
    assert len(set(outcome.lines)) == len(outcome.lines)
    one = outcome.electricity
    counts = [one.tokens, one.unrated_tokens]
    counts += [one.location_unrated_tokens, one.market_unrated_tokens]
    ranges = (one.it_kwh, one.kwh, one.location_gco2e, one.market_gco2e, one.embodied_gco2e)
    ends = [(None, None) if each is None else (each.low, each.high) for each in ranges]
    return set(outcome.lines), [*counts, *(end for each in ends for end in each)]


@settings(max_examples=examples(6), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(events(), min_size=1, max_size=60), st.lists(plans(), min_size=1, max_size=9))
def test_a_plan_is_the_bill_of_the_replayed_events(
    log: Log, given: list[Event], drawn: list[Plan]
) -> None:
    sent, tenant = log.fresh([given[0] | {"tenant": "a"}, *given])
    log.send(sent)
    actual, *outcomes = log.outcomes(tenant, [ACTUAL, *drawn])
    assert told(actual) == log.bill(tenant), "as it was is what is billed"
    mine = [one for one in sent if one["tenant"] == tenant]
    for number, plan in enumerate(drawn):
        log.send([replayed(one, plan, f"{tenant} {number}") for one in mine])
    for number, outcome in enumerate(outcomes):
        assert told(outcome) == log.bill(f"{tenant} {number}")
    assert told(log.outcomes(tenant, [ACTUAL])[0]) == told(actual), "nothing is changed by it"


def plan_of(told: dict[str, Any]) -> Plan:
    """A plan as the command's JSON tells it."""
    changes = told["changes"]

    def labels(one: dict[str, str]) -> Labels:
        return Labels(one["region"], one["provider"], one["model"])

    return Plan(
        told["kind"],
        told["plan"],
        labels={labels(one["from"]): labels(one["to"]) for one in changes["labels"]},
        tiers={labels(one): one["tier"] for one in changes["tiers"]},
        shift_hours=changes["shift_hours"],
        tariffs={labels(one): one["tariff"] for one in changes["tariffs"]},
    )


def as_text(lines: set[PlanLine]) -> list[list[tuple[str, Any]]]:
    return sorted(
        [sorted((name, plain(value)) for name, value in asdict(one).items()) for one in lines],
        key=str,
    )


def test_every_plan_that_the_command_knows_is_the_bill_of_the_replayed_events(log: Log) -> None:
    """Each provider, region, tier and hour of the shipped catalogue."""
    sent, tenant = log.fresh(month(240))
    log.send(sent)
    done = log.compare("--tenant", tenant, "--json")
    assert done.code == 0, done.stderr
    found = json.loads(done.stdout)
    kinds = {one["kind"] for one in found["plans"]}
    assert kinds == {"tariff", "provider", "region", "tier", "hour"}
    names = {one["plan"] for one in found["plans"]}
    assert {"at azure.ai.openai", "in ap-south", "tier batch", "8 h later"} <= names
    plans = [one for one in found["plans"] if one["kind"] != "tariff"]
    assert len(plans) > 30
    for number, one in enumerate(plans):
        plan = plan_of(one)
        log.send([replayed(event, plan, f"{tenant} {number}") for event in sent])
    for number, one in enumerate([found["actual"], *plans]):
        lines, took = log.bill(tenant if number == 0 else f"{tenant} {number - 1}")
        assert as_text(lines) == as_text({PlanLine(**line) for line in one["lines"]}), one["plan"]
        totals = {name: Decimal(sums["total"]) for name, sums in one["costs"].items()}
        assert totals == totals_of(lines)
        ends = [
            None if one["electricity"][name] is None else Decimal(one["electricity"][name][end])
            for name in ("it_kwh", "kwh", "location_gco2e", "market_gco2e", "embodied_gco2e")
            for end in ("low", "high")
        ]
        assert ends == took[4:]
        assert one["electricity"]["unrated_tokens"] == took[1]
    costs = [Decimal(one["cost"]) for one in found["plans"] if one["comparable"]]
    assert costs == sorted(costs) and len(costs) > 20
    differences = [Decimal(one["cost_more"]) for one in found["plans"] if one["comparable"]]
    assert [one + Decimal(found["actual"]["cost"]) for one in differences] == costs


def totals_of(lines: set[PlanLine]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for one in lines:
        if one.amount is not None:
            found[one.currency] = found.get(one.currency, Decimal(0)) + one.amount
    return found
