"""What a plan makes of registers is what registers are of the events that it makes. No database.

Random events go through the real decoder, judging and slices; a plan goes over each event before
that, or over the hours of the registers behind it. Both are the same registers, and cost what the
events cost one by one, by an oracle that shares no code with what bills.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from schemas.catalogue import load_catalogue
from schemas.metering_rules import MeteringRules
from schemas.price_class import CONTEXT_THRESHOLDS
from services.aggregator.core.dedup import SeenIds
from services.aggregator.core.judging import Records
from services.aggregator.core.partition import Checkpoint, PartitionState
from services.aggregator.core.slice_keys import unpack, varieties
from services.aggregator.core.slices import SliceStore
from services.aggregator.core.timing import RuleBook
from services.aggregator.core.windows import HOUR, UNIT, Family
from services.aggregator.decoding.columns import Decoder
from services.aggregator.decoding.labels import Labels as Numbers
from services.billing.plans.plan import Labels, Plan
from tests.integration.billing_oracle import Reading, charges_of_readings, demand_of_readings
from tests.plan_events import PERIOD, Event, events, plans, records, replayed

#: Of prices by hand alone: the oracle knows no lists.
CATALOGUE = load_catalogue(with_price_lists=False)
#: Ten minutes after the month: none of it is too old then.
APPEND_MS = int(datetime(2026, 10, 1, 0, 10, tzinfo=UTC).timestamp() * 1000)


class Hour(NamedTuple):
    """What an hour of a register is about."""

    hour: datetime
    tenant: str
    entry: str
    labels: Labels
    tier: str
    band: int
    unit: str


Register = dict[Hour, dict[str, int]]


def metered(given: Sequence[Event]) -> Register:
    """The hours of tokens and of units that the events come to."""
    numbers = Numbers()
    rules = RuleBook(((0, MeteringRules()),))
    state = PartitionState(
        0, rules, Checkpoint(0, 0), SliceStore({}), SeenIds(), 0, Decoder(numbers)
    )
    values = records(given)
    offsets = np.arange(len(values), dtype=np.int64)
    state.fold(state.sift(Records(offsets, np.full(len(values), APPEND_MS, np.int64), values)))
    snapshot = state.snapshot()
    assert snapshot is not None and not snapshot.dead_letters
    found: Register = {}
    for family in (HOUR, UNIT):
        rows = snapshot.rows[family.name]
        for key, totals in rows.items():
            hour = _hour(family, numbers, key)
            found[hour] = dict(zip(family.measures, totals, strict=False))
    return found


def _hour(family: Family, numbers: Numbers, key: int) -> Hour:
    one = unpack(family, numbers, np.array([key]))
    assert one.tenants is not None and one.varieties is not None
    series = numbers.series.meaning[int(one.series[0])]
    variety: Any = varieties(family, numbers).meaning[int(one.varieties[0])]
    tier, band, unit = ("", 0, variety.unit) if family is UNIT else (*variety, "")
    return Hour(
        datetime.fromtimestamp(family.window_start_ms(int(one.windows[0])) / 1000, UTC),
        numbers.tenants.meaning[int(one.tenants[0])],
        series.entry,
        Labels(series.region, series.provider, series.model),
        tier,
        band,
        unit,
    )


def under(plan: Plan, register: Register) -> Register:
    """The register with the labels of a plan, those that became one added up."""
    sums: dict[Hour, Counter[str]] = {}
    for one, totals in register.items():
        to = one._replace(
            hour=plan.moment(one.hour, PERIOD),
            labels=plan.relabelled(one.labels),
            tier=one.tier if one.unit else plan.tier(one.labels, one.tier),
        )
        sums.setdefault(to, Counter()).update(totals)
    return {one: dict(totals) for one, totals in sums.items()}


def readings(register: Register) -> list[Reading]:
    """The register as the oracle of bills reads it."""
    return [
        Reading(
            *(one.tenant, one.hour, *one.labels, one.entry, 0),
            {} if one.unit else _classes(totals),
            service_tier=one.tier,
            context_band=one.band,
            units={one.unit: totals["quantity"]} if one.unit else {},
        )
        for one, totals in register.items()
    ]


def _classes(totals: Mapping[str, Any]) -> dict[str, int]:
    cached, reasoning = totals["cache_read_input_tokens"], totals["reasoning_output_tokens"]
    return {
        "uncached_input": totals["input_tokens"] - cached,
        "cache_read": cached,
        "output": totals["output_tokens"] - reasoning,
        "reasoning": reasoning,
    }


@given(st.lists(events(), min_size=1, max_size=40), plans())
def test_relabelled_registers_are_the_registers_of_relabelled_events(
    given: list[Event], plan: Plan
) -> None:
    again = metered([replayed(one, plan, one["tenant"]) for one in given])
    assert under(plan, metered(given)) == again


@given(st.lists(events(), min_size=1, max_size=20), plans())
def test_relabelled_registers_cost_what_relabelled_events_cost_one_by_one(
    given: list[Event], plan: Plan
) -> None:
    registers = readings(under(plan, metered(given)))
    alone = [_alone(replayed(one, plan, one["tenant"])) for one in given]
    owed: Counter[tuple[str, ...]] = Counter()
    for one in alone:
        # Not `+`, which leaves out what is owed back.
        owed.update(_owed([one]))
    assert _owed(registers) == owed
    assert demand_of_readings(registers, "*") == demand_of_readings(alone, "*")


def _alone(event: Event) -> Reading:
    """One event as a register of its own, made by hand."""
    hour = datetime.fromtimestamp(event["time"], UTC).replace(minute=0, second=0, microsecond=0)
    bands = [0, *(one for one in CONTEXT_THRESHOLDS if one < event["input_tokens"])]
    units = {name: event[name] for name in ("web_searches", "pages") if event.get(name)}
    return Reading(
        *(event["tenant"], hour, event["region"], event["provider"], event["model"]),
        *(event.get("entry", "usage"), 0, _classes(event)),
        service_tier=event.get("service_tier", ""),
        context_band=max(bands),
        units=units,
    )


def _owed(given: list[Reading]) -> Counter[tuple[str, ...]]:
    """What is owed by tenant and tariff, in fractions; of what no price fits the quantity."""
    found: Counter[tuple[str, ...]] = Counter()
    for key, (period, tariff, quantity, _, amount) in charges_of_readings(CATALOGUE, given).items():
        tenant, unit, token_class = key[1], key[-2], key[-1]
        found[tenant, tariff, period, unit, token_class] += quantity if amount is None else amount
    return found


@given(st.lists(events(), min_size=1, max_size=40), plans())
def test_a_plan_loses_and_makes_nothing(given: list[Event], plan: Plan) -> None:
    before = metered(given)
    after = under(plan, before)
    assert _sum(before) == _sum(after)
    months = {(one.hour.year, one.hour.month) for one in after}
    assert months == {(2026, 9)}, "and all of it stays in its month"


def _sum(register: Register) -> Counter[tuple[str, str, str, str]]:
    found: Counter[tuple[str, str, str, str]] = Counter()
    for one, totals in register.items():
        for name, count in totals.items():
            found[one.tenant, one.entry, one.unit, name] += count
    return found
