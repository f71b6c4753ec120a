"""PURE. What two runs of a tenant's month differ by, and why.

Of each quantity that two bills have of an hour, usage and class:

    new amount − old amount =
        late and adjusted quantity × new price + old quantity × (new price − old price)

The left side is what the lines of the two bills say. The right side is made of other things: events
that came between the two cuts, as they were kept whole, and the prices of readings. What is left
between the two is unexplained, and must be nothing: of quantities as of amounts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from services.billing.adjustments import A_MILLIONTH, A_THOUSANDTH
from services.billing.exact import ZERO, negative, times
from services.settlement.charges import (
    SECONDS_OF_HOUR,
    Charge,
    HourlyTokens,
    Price,
    Usage,
    hourly_tokens,
    no_tokens,
)
from services.settlement.comparison import (
    PRICE,
    Amounts,
    Bill,
    Change,
    Comparison,
    Line,
    LineName,
    Moved,
    What,
    Why,
    sum_of,
)


def compare(tenant: str, old: Bill, new: Bill, moved: Sequence[Moved]) -> Comparison:
    """Hold two bills against each other, and against what came in between."""
    lines: dict[LineName, Line] = {}
    _enter(lines, old, "old")
    _enter(lines, new, "new")
    _explain_charges(lines, old, new, moved)
    _explain_demand(lines, old, new, moved)
    ordered = sorted(lines.values(), key=lambda line: _order(line.name))
    return Comparison(
        tenant,
        tuple(line for line in ordered if line.differs),
        sum_of(line.old for line in ordered),
        sum_of(line.new for line in ordered),
    )


def _order(name: LineName) -> tuple[bool, Usage, str, str]:
    return name.demand, name.usage, name.unit, name.token_class


def _line(lines: dict[LineName, Line], name: LineName) -> Line:
    return lines.setdefault(name, Line(name))


def _of(what: What) -> LineName:
    return LineName(False, what.usage, what.token_class, what.unit)


def _of_demand(region: str) -> LineName:
    return LineName(True, Usage(region, "", "", "", "", 0), "", "")


def _enter(lines: dict[LineName, Line], bill: Bill, side: str) -> None:
    """Sum what a bill says, by line."""
    for one in bill.charges:
        line = _line(lines, LineName(False, one.usage, one.token_class, one.unit))
        amounts = {} if one.price is None else {one.price.currency: one.amount or ZERO}
        getattr(line, side).add(one.quantity, amounts)
    for each in bill.demand:
        line = _line(lines, _of_demand(each.charge.region))
        getattr(line, side).add(each.rate, {each.charge.currency: each.amount})


def _explain_charges(
    lines: dict[LineName, Line], old: Bill, new: Bill, moved: Sequence[Moved]
) -> None:
    before = {_what(one): one for one in old.charges}
    after = {_what(one): one for one in new.charges}
    for one in moved:
        # What came and is on no bill is not priced; it shows as a quantity that is unexplained.
        found = after.get(one.what)
        line = _line(lines, _of(one.what))
        amounts = {} if found is None else _amounts(one.what, one.quantity, found.price)
        line.causes.setdefault(one.why, Change()).add(one.quantity, amounts)
    for what, was in before.items():
        now = after.get(what)
        if now is None or _same_price(was.price, now.price):
            continue
        change = Change()
        change.add(0, _amounts(what, was.quantity, now.price))
        change.add(0, opposite(_amounts(what, was.quantity, was.price)))
        why = Why(PRICE, None, f"{_told(was.price)} → {_told(now.price)}")
        _line(lines, _of(what)).causes.setdefault(why, Change()).add(0, change.amounts)


def _what(one: Charge) -> What:
    return What(one.hour, one.usage, one.token_class, one.unit)


def _same_price(one: Price | None, other: Price | None) -> bool:
    """Whether they come to the same; a tariff's name alone changes no amount."""
    if one is None or other is None:
        return one is other
    return (one.price, one.currency) == (other.price, other.currency)


def _told(price: Price | None) -> str:
    if price is None:
        return "unpriced"
    return f"{price.tariff} {price.price.normalize():f} {price.currency}"


def _amounts(what: What, quantity: int, price: Price | None) -> Amounts:
    if price is None:
        return {}
    per = A_THOUSANDTH if what.unit else A_MILLIONTH
    amount = times(times(Decimal(quantity), price.price), per)
    return {price.currency: negative(amount) if what.usage.entry == "credit" else amount}


def _explain_demand(
    lines: dict[LineName, Line], old: Bill, new: Bill, moved: Sequence[Moved]
) -> None:
    """What late usage, gateway by gateway and day by day, did to the highest hour; then prices.

    A peak is no sum: what is told of a gateway is by how much the peak grew when its events of that
    day were added to those of before, days in their order and gateways by name.
    """
    regions = {each.charge.region for each in (*old.demand, *new.demand)}
    late: dict[Why, HourlyTokens] = defaultdict(no_tokens)
    for one in moved:
        if one.what.usage.entry == "usage" and not one.what.unit:
            for scope in {"*", one.what.usage.region} & regions:
                late[one.why][scope][one.what.hour] += one.quantity
    hours = hourly_tokens(old.charges)
    for region in sorted(regions):
        line = _line(lines, _of_demand(region))
        prices = _prices(new, region)
        rate = _rate(hours[region])
        change = Change(0, _each(prices, rate))
        change.add(0, opposite(_each(_prices(old, region), rate)))
        if any(change.amounts.values()):
            line.causes[Why(PRICE, None, "demand charge")] = change
        for why in sorted(late):
            for hour, tokens in late[why][region].items():
                hours[region][hour] += tokens
            risen = _rate(hours[region]) - rate
            rate += risen
            if risen:
                line.causes[why] = Change(risen, _each(prices, risen))


def _rate(hours: Mapping[datetime, int]) -> int:
    return max(hours.values(), default=0) // SECONDS_OF_HOUR


def _prices(bill: Bill, region: str) -> Amounts:
    """What a token/s of a region's demand costs, by currency."""
    found = Change()
    for each in bill.demand:
        if each.charge.region == region:
            found.add(0, {each.charge.currency: each.charge.price})
    return found.amounts


def _each(prices: Mapping[str, Decimal], rate: int) -> Amounts:
    return {currency: times(Decimal(rate), price) for currency, price in prices.items()}


def opposite(amounts: Mapping[str, Decimal]) -> Amounts:
    """The same with the other sign."""
    return {currency: negative(amount) for currency, amount in amounts.items()}
