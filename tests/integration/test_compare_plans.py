"""Plan comparison on a real ClickHouse, against the bills of the same events, replayed.

What a plan makes of each event goes through the real decoder, core and sink, as another tenant's;
that tenant's bill and electricity must be what the comparison said of the registers, to the digit.
Prices, ratings and grids are the shipped ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
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
    sent: int = 0

    def send(self, given: Sequence[Event]) -> None:
        """Meter events, on two partitions, in two flushes: older versions of slices lie beside."""
        values = records(given, self.sent)
        self.sent += len(values)
        half = len(values) // 2
        for part in (values[:half], values[half:]):
            for partition in range(2):
                self.meter.read(partition, part[partition::2], END_MS + 600_000)
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


def lines_of(told: dict[str, Any]) -> set[PlanLine]:
    """A plan's lines as the command's JSON tells them."""
    return {PlanLine(**line) for line in told["lines"]}


def as_text(lines: set[PlanLine]) -> set[tuple[tuple[str, Any], ...]]:
    """The lines as JSON has them."""
    return {
        tuple(sorted((name, plain(value)) for name, value in asdict(one).items())) for one in lines
    }


@pytest.mark.nightly
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
        assert as_text(lines) == as_text(lines_of(one)), one["plan"]
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


def only(tariffs: list[Event], name: str, **scope: str) -> Event:
    """A tariff of the catalogue for other names."""
    (found,) = (one for one in tariffs if one["tariff"] == name)
    return found | {"provider": "*", "model": "*", "region": "*"} | scope


def without(tariffs: list[Event], *names: str) -> list[Event]:
    return [one for one in tariffs if one["tariff"] not in names]


#: What bills by a tariff alone, and a catalogue in which it is alone by itself; with the lists, or
#: without.
Alone = tuple[tuple[str, ...], Callable[[list[Event]], list[Event]], bool]
ALONE: Final[dict[str, Alone]] = {
    "for all": (
        ("--tariff", "deepseek-v4-pro"),
        lambda tariffs: [only(tariffs, "deepseek-v4-pro")],
        False,
    ),
    "for a model, in another region": (
        ("--tariff", "gpt-5=grok-4.7", "--region", "us-east=cn-north"),
        lambda tariffs: [
            *without(tariffs, "gpt-5", "grok-4.7"),
            only(tariffs, "grok-4.7", model="gpt-5"),
        ],
        True,
    ),
    "of a list, which one by hand goes before": (
        ("--tariff", "gpt-5.6-luna=openai/gpt-5.6-luna"),
        lambda tariffs: without(tariffs, "gpt-5.6-luna", "gpt-5.6-luna-elsewhere"),
        True,
    ),
}


@pytest.mark.nightly
@pytest.mark.parametrize("case", ALONE)
def test_a_tariff_alone_bills_as_where_there_is_no_other(
    log: Log, databases: DatabaseFactory, tmp_path: Path, case: str
) -> None:
    arguments, alone, with_lists = ALONE[case]
    given, tenant = log.fresh(month(120, seed=2))
    log.send(given)
    hours = ("--shift-hours", "-5", "--tier", "standard")
    done = log.compare("--tenant", tenant, *arguments, *hours, "--json")
    assert done.code == 0, done.stderr
    (one,) = json.loads(done.stdout)["plans"]
    assert any(line["kind"] == "energy" for line in one["lines"])

    shipped = yaml.safe_load((SHIPPED / "tariffs.yaml").read_text())
    shipped["tariffs"] = alone(shipped["tariffs"])
    (tmp_path / "tariffs.yaml").write_text(yaml.safe_dump(shipped, sort_keys=False))
    if not with_lists:
        (tmp_path / "price_lists.jsonl").touch()
    with logging(databases("alone", tmp_path)) as other:
        plan = plan_of(one)
        other.send([replayed(event, plan, "a") for event in given])
        lines, _ = other.bill("a")
    assert as_text(lines) == as_text(lines_of(one))


def test_all_tenants_together_have_a_peak_each(databases: DatabaseFactory) -> None:
    """Of demand the tenants' own highest hours are billed, and not that of all together."""
    # Without the many tenants of other tests, each of whom would be billed by itself.
    with logging(databases("peaks")) as log:
        for tenant in ("a", "b"):
            log.send(log.fresh([one | {"tenant": tenant} for one in month(12)])[0])
        found = json.loads(log.compare("--region", "us-west", "--json").stdout)
        rows = log.client.query("SELECT DISTINCT tenant FROM slices_hour").result_rows
        bills = [log.outcomes(name, [ACTUAL])[0] for (name,) in rows]
        totals = [one.totals()["USD"] for one in bills if one.totals()]
        assert len(totals) > 1 and found["tenant"] is None
        assert Decimal(found["actual"]["cost"]) == sum(totals)
        demand = [line.amount for one in bills for line in one.lines if line.kind == "demand"]
        assert Decimal(found["actual"]["costs"]["USD"]["demand"]) == sum(filter(None, demand)) > 0


def test_usage_that_comes_in_meanwhile_is_found(log: Log) -> None:
    given, tenant = log.fresh(month(6))
    log.send(given)
    (actual,) = log.outcomes(tenant, [ACTUAL])
    log.send([given[0] | {"output_tokens": 1, "reasoning_output_tokens": 0}] * 7)
    later = log.outcomes(tenant, [ACTUAL])
    assert told(later[0]) == log.bill(tenant), "older versions of the hour's slices do not count"
    same_usage(actual, [actual])
    with pytest.raises(UnavailableError, match="run it again"):
        same_usage(actual, later)


REFUSED: Final = {
    ("--region", "mars"): r"--region mars: the catalogue has no such region: ap-south, ",
    ("--region", "mars=us-east"): r"--region mars=…: no region of this name was metered; what was:",
    ("--provider", "mars"): r"--provider mars: it has a price for none of the models",
    ("--model", "gpt-6=gpt-5"): r"--model gpt-6=…: no model of this name was metered; what was:",
    ("--model", "gpt-5"): r"--model gpt-5: say which one becomes it: OLD=gpt-5",
    ("--model", "gpt-5=p,"): r"--model gpt-5=p,: OLD=NAME, or OLD=PROVIDER,NAME",
    ("--tariff", "gpt-6"): r"--tariff gpt-6: the database has no such tariff: `wattoken tariffs",
    ("--tier", "quick"): r"--tier quick: one of standard, batch, flex",
    ("--shift-hours", "169"): r"--shift-hours 169: at most 168 hours, later or earlier",
    ("--currency", "usd"): r"'usd' is no currency of ISO 4217",
    ("--tenant", "stranger"): r"'stranger' was not metered in 2026-09; who was: a ",
}


@pytest.mark.parametrize("arguments", REFUSED, ids=" ".join)
def test_what_cannot_be_is_refused_and_says_how_it_can(
    log: Log, arguments: tuple[str, str]
) -> None:
    if log.tenants == 0:
        log.send(log.fresh(month(12))[0])
    done = log.compare(*arguments)
    assert done.code == 1
    assert re.search(REFUSED[arguments], done.stderr), done.stderr


def test_a_month_without_usage_has_no_plans(log: Log) -> None:
    done = wattoken(log.database, "compare-plans", "2026-02")
    assert (done.code, done.stderr) == (1, "nobody was metered in 2026-02")
