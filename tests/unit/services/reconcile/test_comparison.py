"""A bill against the meter: findings add up to whatever differs, and say nothing else."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.platform.errors import ConfigurationError
from services.reconcile.bill import Billed, Key
from services.reconcile.comparison import sides_of
from services.reconcile.findings import Cause, Reconciliation
from services.reconcile.metered import Usage
from tests.unit.services.reconcile.scenes import (
    DAYS,
    FIRST,
    PRICES,
    PROVIDER,
    bill,
    calls,
    charged,
    line,
    meter,
    reconciled,
    used,
)
from tests.versions.effort import examples

CLASSES = ("uncached_input", "cache_read", "output")
TIERS = ("standard", "batch")
MODELS = ("m", "n")


@dataclass(frozen=True)
class Atom:
    """One quantity on both sides, by all that either tells apart."""

    day: int
    model: str
    billed_as: str
    tier: str
    billed: int
    metered: int


@st.composite
def atoms(draw: st.DrawFn) -> list[Atom]:
    places = [
        (day, model, billed_as, tier)
        for day in range(3)
        for model in MODELS
        for billed_as in CLASSES
        for tier in TIERS
    ]
    chosen = draw(st.lists(st.sampled_from(places), unique=True, max_size=12))
    count = st.integers(0, 10**13)
    return [Atom(*place, draw(count), draw(st.one_of(count, st.just(0)))) for place in chosen]


def sides(given_atoms: list[Atom], prices: dict[str, Decimal], edge: int) -> Reconciliation:
    usage: list[Usage] = []
    lines: dict[Key, Billed] = {}
    for one in given_atoms:
        key, billed = line(
            one.billed_as,
            one.billed,
            f"{one.billed * prices[one.billed_as]:f}",
            days=DAYS[one.day],
            model=one.model,
            tier=one.tier,
        )
        lines[key] = billed
        usage.append(
            used(
                one.billed_as,
                one.metered,
                day=FIRST + timedelta(days=one.day),
                model=one.model,
                tier=one.tier,
                first_hour=min(edge, one.metered),
                last_hour=min(edge, one.metered),
            )
        )
    requests = {(days, PROVIDER, model): 100 for days in DAYS for model in MODELS}
    metered = meter(
        *usage,
        charges=[charged(one) for one in usage if one.quantities.whole],
        requests=[calls(100, model=model, day=days.first) for days in DAYS for model in MODELS],
    )
    return reconciled(bill(*lines.items(), requests=requests), with_=metered)


@settings(max_examples=examples(200), deadline=None)
@given(atoms(), st.sampled_from([1, 2]), st.sampled_from([0, 10**12]))
def test_findings_add_up_to_the_differences(
    given_atoms: list[Atom], factor: int, edge: int
) -> None:
    prices = {name: price * factor for name, price in PRICES.items()}
    found = sides(given_atoms, prices, edge)
    expected: Counter[tuple[Any, ...]] = Counter()
    for one in given_atoms:
        place = (DAYS[one.day], one.model, one.billed_as, one.tier)
        expected[place] = one.billed - one.metered
    told: Counter[tuple[Any, ...]] = Counter()
    for finding in found.findings:
        key = finding.key
        place = (key.days, key.model, key.billed_as, key.service_tier)
        told[place] += finding.quantity or 0
    assert {place: n for place, n in told.items() if n} == {
        place: n for place, n in expected.items() if n
    }
    billed = sum((one.billed * prices[one.billed_as] for one in given_atoms), Decimal(0))
    metered = sum((one.metered * PRICES[one.billed_as] for one in given_atoms), Decimal(0))
    amounts = sum((one.amount or Decimal(0) for one in found.findings), Decimal(0))
    assert amounts == billed - metered
    if all(one.billed == one.metered for one in given_atoms) and factor == 1:
        assert found.findings == ()
    if any(one.billed != one.metered for one in given_atoms):
        assert found.findings


@settings(max_examples=examples(100), deadline=None)
@given(atoms())
def test_nothing_is_reported_twice_where_no_request_is(given_atoms: list[Atom]) -> None:
    found = sides(given_atoms, dict(PRICES), 0)
    causes = {one.cause for one in found.findings}
    assert not causes & {Cause.NOT_REPORTED, Cause.REPORTED_TWICE, Cause.LATE}


@settings(max_examples=examples(100), deadline=None)
@given(atoms())
def test_what_moved_is_no_more_than_the_smaller_side(given_atoms: list[Atom]) -> None:
    found = sides(given_atoms, dict(PRICES), 0)
    more: defaultdict[tuple[Any, ...], int] = defaultdict(int)
    less: defaultdict[tuple[Any, ...], int] = defaultdict(int)
    for one in given_atoms:
        place = (DAYS[one.day], one.model, one.billed_as == "output")
        more[place] += max(one.billed - one.metered, 0)
        less[place] += max(one.metered - one.billed, 0)
    moved: Counter[tuple[Any, ...]] = Counter()
    for finding in found.findings:
        if finding.cause == Cause.OTHER_CLASS and (finding.quantity or 0) > 0:
            key = finding.key
            moved[key.days, key.model, key.billed_as == "output"] += finding.quantity or 0
    assert {place: n for place, n in moved.items() if n} == {
        place: n for place in more if (n := min(more[place], less[place]))
    }


def test_a_span_may_be_cut() -> None:
    whole = bill(*(line("output", 10, days=days) for days in DAYS))
    assert sides_of([whole], date(2026, 10, 2), date(2026, 10, 3)).covered == (DAYS[1],)
    with pytest.raises(ConfigurationError, match="the files have 2026-10-01..2026-10-03"):
        sides_of([whole], date(2026, 11, 1), None)


def test_days_that_only_one_of_two_files_has_are_not_compared() -> None:
    usage = bill(*(line("output", 10, days=days) for days in DAYS), format_="usage")
    costs = bill(line("output", None, "1", days=DAYS[1]), covered=DAYS[1:2], format_="costs")
    both = sides_of([costs, usage], None, None)
    assert both.covered == (DAYS[1],)
    assert both.quantities is not None and len(both.quantities.lines) == 1
    assert "only one of the files has them: 2026-10-01, 2026-10-03" in both.notes[0]


@pytest.mark.parametrize(
    "make",
    [
        lambda: [bill(line("output", 1)), bill(line("output", 1), format_="other")],
        lambda: [bill(line("output", 1, "1")), bill(line("output", 1, "1"), format_="other")],
    ],
)
def test_two_bills_that_complete_nothing_are_an_error(make: Callable[[], list[Any]]) -> None:
    with pytest.raises(ConfigurationError, match="these are 2 bills"):
        sides_of(make(), None, None)


def test_a_bill_in_another_currency_is_not_compared() -> None:
    usage = used("output", 10)
    euros = bill(line("output", 10, "1"))
    object.__setattr__(euros, "currency", "EUR")
    with pytest.raises(ConfigurationError, match="in EUR and what was metered is charged in USD"):
        reconciled(euros, with_=meter(usage, charges=[charged(usage)]))


def test_a_bill_on_which_nothing_is_may_still_be_wrong() -> None:
    found = reconciled(bill(), with_=meter(used("output", 10)))
    (only,) = found.findings
    assert (only.cause, only.quantity) == (Cause.UNEXPLAINED, -10)
    assert not found.within_tolerance, "of nothing billed, anything is too much"


def test_the_tolerance_is_of_what_is_out_of_place() -> None:
    lines = [line("output", 1_000_000), line("output", 1_000_000, days=DAYS[1])]
    # One day more, one day less: the sums agree, and the bill does not.
    metered = meter(used("output", 999_000), used("output", 1_001_000, day=DAYS[1].first))
    found = reconciled(bill(*lines), with_=metered)
    assert found.totals[0].difference == 0
    assert not found.within_tolerance
    assert reconciled(bill(*lines), with_=metered, tolerance="0.1").within_tolerance
