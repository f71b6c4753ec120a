"""PURE. Two bills of a tenant side by side: what changed on each line, and what explains it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Final, NamedTuple

from services.billing.exact import ZERO, difference, total
from services.settlement.charges import Charge, Demand, Usage

#: Why a line changed, in this order.
LATE, ADJUSTMENT, PRICE = "late events", "adjustment", "price"
CAUSES: Final = (LATE, ADJUSTMENT, PRICE)
Amounts = dict[str, Decimal]


class What(NamedTuple):
    """What a quantity is of: an hour's usage, and a class or unit."""

    hour: datetime
    usage: Usage
    token_class: str
    unit: str


class Why(NamedTuple):
    """Where a change came from: a gateway or an adjusting event and its day, or a price."""

    cause: str
    day: date | None
    who: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Moved:
    """What came of one quantity between two cuts, from one gateway and day, or by one event."""

    what: What
    why: Why
    quantity: int


@dataclass(frozen=True, slots=True)
class Bill:
    """What a settled bill says of charges and demand."""

    charges: tuple[Charge, ...]
    demand: tuple[Demand, ...]


@dataclass(frozen=True, slots=True)
class LineName:
    """What a line of the comparison is about; of demand only ``demand`` and the region."""

    demand: bool
    usage: Usage
    token_class: str
    unit: str


@dataclass(slots=True)
class Change:
    """What one cause comes to on a line, by currency."""

    quantity: int = 0
    amounts: Amounts = field(default_factory=dict)

    def add(self, quantity: int, amounts: Mapping[str, Decimal]) -> None:
        """Take some more of it."""
        self.quantity += quantity
        for currency, amount in amounts.items():
            self.amounts[currency] = total((self.amounts.get(currency, ZERO), amount))


@dataclass(slots=True)
class Line:
    """A line of both bills: what it was and is, and what explains the difference."""

    name: LineName
    old: Change = field(default_factory=Change)
    new: Change = field(default_factory=Change)
    causes: dict[Why, Change] = field(default_factory=dict)

    @property
    def quantity(self) -> int:
        """New less old."""
        return self.new.quantity - self.old.quantity

    @property
    def amounts(self) -> Amounts:
        """New less old, by currency; what is 0 is left out."""
        return less(self.new.amounts, self.old.amounts)

    @property
    def unexplained_quantity(self) -> int:
        """What no event that was kept accounts for; a demand is explained by its amounts."""
        if self.name.demand:
            return 0
        return self.quantity - sum(one.quantity for one in self.causes.values())

    @property
    def unexplained(self) -> Amounts:
        """What no cause accounts for, by currency."""
        explained = Change()
        for one in self.causes.values():
            explained.add(0, one.amounts)
        return less(self.amounts, explained.amounts)

    @property
    def differs(self) -> bool:
        """Whether there is anything to say of it."""
        return bool(self.quantity or self.amounts or self.causes)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two bills of a tenant; ``lines`` are those that differ."""

    tenant: str
    lines: tuple[Line, ...]
    old: Amounts
    new: Amounts

    @property
    def amounts(self) -> Amounts:
        """New less old, by currency."""
        return less(self.new, self.old)

    @property
    def by_cause(self) -> dict[str, Change]:
        """What each cause comes to on all lines; quantities of tokens only."""
        found = {cause: Change() for cause in CAUSES}
        for line in self.lines:
            tokens = not line.name.unit and not line.name.demand
            for why, one in line.causes.items():
                found[why.cause].add(one.quantity if tokens else 0, one.amounts)
        return found

    @property
    def unexplained(self) -> Amounts:
        """The difference of the totals less all that explains it."""
        explained = Change()
        for one in self.by_cause.values():
            explained.add(0, one.amounts)
        return less(self.amounts, explained.amounts)

    @property
    def explained(self) -> bool:
        """Whether nothing is left: on no line, and of no total."""
        return not self.unexplained and not any(
            line.unexplained or line.unexplained_quantity for line in self.lines
        )


def sum_of(changes: Iterable[Change]) -> Amounts:
    """What changes come to, by currency."""
    found = Change()
    for one in changes:
        found.add(0, one.amounts)
    return found.amounts


def less(amounts: Mapping[str, Decimal], other: Mapping[str, Decimal]) -> Amounts:
    """The differences that are not 0."""
    found = {
        currency: difference(amounts.get(currency, ZERO), other.get(currency, ZERO))
        for currency in sorted({*amounts, *other})
    }
    return {currency: amount for currency, amount in found.items() if amount}
