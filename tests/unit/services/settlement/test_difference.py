"""What two bills differ by is explained whole, or said to be unexplained."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from services.settlement.charges import Charge, DemandCharge, Price, Usage, demand_of
from services.settlement.comparison import ADJUSTMENT, LATE, PRICE, Bill, Moved, What, Why
from services.settlement.difference import compare

MONTH = datetime(2026, 9, 1, tzinfo=UTC)
USAGES = (
    Usage("eu", "p", "m-1", "usage", "", 0),
    Usage("us", "p", "m-1", "usage", "batch", 1000),
    Usage("eu", "p", "m-1", "credit", "", 0),
    Usage("eu", "p", "m-1", "debit", "", 0),
)
CLASSES = (("output", ""), ("uncached_input", ""), ("", "web_searches"))
Quantities = dict[What, int]
Priced = Mapping[What, Price | None]


def prices(seed: int) -> dict[What, Price | None]:
    """A price for each hour, usage and class; of some none."""
    drawn = random.Random(seed)
    found: dict[What, Price | None] = {}
    for what in whats():
        currency = drawn.choice(["USD", "USD", "USD", "CNY"])
        price = Price("flat", f"t{drawn.randrange(3)}", currency, Decimal(drawn.randrange(99)) / 8)
        found[what] = None if drawn.random() < 0.1 else price
    return found


def whats() -> list[What]:
    hours = [MONTH + timedelta(hours=number) for number in (0, 1, 30, 31)]
    return [What(hour, usage, *one) for hour in hours for usage in USAGES for one in CLASSES]


def bill(quantities: Quantities, priced: Priced, demand: str = "0.5") -> Bill:
    charges = []
    for what, quantity in quantities.items():
        price = priced[what]
        per = Decimal("0.001") if what.unit else Decimal("0.000001")
        sign = -1 if what.usage.entry == "credit" else 1
        amount = None if price is None else sign * quantity * price.price * per
        labels = (what.hour, what.usage, what.token_class, what.unit, quantity)
        charges.append(Charge(*labels, price, amount))
    scopes = [DemandCharge("*", "all", Decimal(demand)), DemandCharge("eu", "eu", Decimal(3))]
    return Bill(tuple(charges), tuple(demand_of(charges, scopes)))


def drawn_quantities(drawn: random.Random) -> Quantities:
    return {what: drawn.randrange(1, 10**9) for what in whats() if drawn.random() < 0.7}


def drawn_moves(drawn: random.Random, count: int) -> list[Moved]:
    found = []
    for number in range(count):
        what = drawn.choice(whats())
        if what.usage.entry == "usage":
            why = Why(LATE, what.hour.date(), drawn.choice(["gw-a", "gw-b", "gw-c"]))
        else:
            why = Why(ADJUSTMENT, what.hour.date(), f"event-{number}", "broke off")
        found.append(Moved(what, why, drawn.randrange(1, 10**9)))
    return found


def with_moves(old: Quantities, moves: list[Moved]) -> Quantities:
    new = dict(old)
    for one in moves:
        new[one.what] = new.get(one.what, 0) + one.quantity
    return new


@pytest.mark.parametrize("seed", range(40))
def test_whatever_came_and_whatever_was_repriced_is_explained(seed: int) -> None:
    drawn = random.Random(seed)
    old = drawn_quantities(drawn)
    moves = drawn_moves(drawn, drawn.randrange(30))
    before = bill(old, prices(seed))
    after = bill(
        with_moves(old, moves), prices(seed + drawn.randrange(2)), drawn.choice(["0.5", "1"])
    )
    found = compare("acme", before, after, moves)
    assert found.explained and not found.unexplained
    assert all(not line.unexplained and not line.unexplained_quantity for line in found.lines)
    told = sum(
        change.quantity
        for line in found.lines
        if not line.name.demand
        for why, change in line.causes.items()
        if why.cause != PRICE
    )
    assert told == sum(one.quantity for one in moves)


@pytest.mark.parametrize("seed", range(40))
def test_what_one_event_hides_or_makes_up_is_unexplained(seed: int) -> None:
    drawn = random.Random(seed)
    old = drawn_quantities(drawn)
    moves = drawn_moves(drawn, 10)
    before, after = bill(old, prices(seed)), bill(with_moves(old, moves), prices(seed + 1))
    number = drawn.randrange(10)
    hidden = moves[:number] + moves[number + 1 :]
    made_up = [*moves, moves[number]]
    less = Moved(moves[number].what, moves[number].why, moves[number].quantity - 1)
    for wrong in (hidden, made_up, [*hidden, less]):
        found = compare("acme", before, after, wrong)
        assert not found.explained
        assert any(line.unexplained_quantity for line in found.lines)


def test_an_amount_that_no_price_makes_is_unexplained() -> None:
    """As if a bill had been added up wrongly."""
    old = drawn_quantities(random.Random(1))
    priced: Priced = dict.fromkeys(whats(), Price("flat", "t", "USD", Decimal(2)))
    before, after = bill(old, priced), bill(old, priced)
    first, *rest = after.charges
    wrong = Charge(
        *(first.hour, first.usage, first.token_class, first.unit, first.quantity, first.price),
        (first.amount or Decimal(0)) + Decimal("0.000001"),
    )
    found = compare("acme", before, Bill((wrong, *rest), after.demand), [])
    assert not found.explained
    assert found.unexplained == {"USD": Decimal("0.000001")}


def test_a_peak_is_told_by_gateway_in_the_order_of_days_and_names() -> None:
    usage, hour = USAGES[0], MONTH
    what = What(hour, usage, "output", "")
    priced: Priced = dict.fromkeys(whats(), Price("flat", "t", "USD", Decimal(0)))
    before, after = bill({what: 3600}, priced), bill({what: 36_000}, priced)
    day = date(2026, 9, 1)
    moves = [
        Moved(what, Why(LATE, day, "gw-b"), 3_000),
        Moved(what, Why(LATE, day, "gw-a"), 29_400),
    ]
    found = compare("acme", before, after, moves)
    assert found.explained
    line = next(line for line in found.lines if line.name.demand and line.name.usage.region == "*")
    told = [(why.who, change.quantity, change.amounts) for why, change in line.causes.items()]
    assert told == [
        ("gw-a", 8, {"USD": Decimal("4.0")}),
        ("gw-b", 1, {"USD": Decimal("0.5")}),
    ]


def test_bills_that_are_alike_have_nothing_to_say() -> None:
    old = drawn_quantities(random.Random(3))
    one = bill(old, prices(3))
    found = compare("acme", one, one, [])
    assert found.explained and found.lines == () and found.amounts == {}
