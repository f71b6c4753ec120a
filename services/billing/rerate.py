"""PURE. Charges at two price lists, line by line, and what they sum to."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from services.billing.exact import difference, total

NOTHING: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Rated:
    """What a line comes to at one list: ``price`` and ``amount`` are None where none fits.

    ``price`` is per million tokens, or thousand units; both are in ``currency``, which is '' then.
    """

    tou_period: str
    price: Decimal | None
    amount: Decimal | None
    currency: str


@dataclass(frozen=True, slots=True)
class Line:
    """Usage of one kind, at one price of the old list and one of the new.

    One of ``token_class`` and ``unit`` is ''; ``service_tier`` is '' where none was reported.
    """

    tenant: str
    provider: str
    model: str
    entry: str
    token_class: str
    unit: str
    service_tier: str
    context_band: int
    quantity: int
    old: Rated
    new: Rated

    @property
    def differs(self) -> bool:
        """Whether the money does; a period's name alone is none."""
        return (self.old.price, self.old.currency) != (self.new.price, self.new.currency)

    @property
    def difference(self) -> Decimal | None:
        """New amount less old, of what has no price nothing; None between two currencies."""
        if len({self.old.currency, self.new.currency} - {""}) > 1:
            return None
        return difference(self.new.amount or NOTHING, self.old.amount or NOTHING)


@dataclass(frozen=True, slots=True)
class Sum:
    """All charges in one currency at both lists, those that do not differ too."""

    currency: str
    old: Decimal
    new: Decimal

    @property
    def difference(self) -> Decimal:
        """New less old."""
        return difference(self.new, self.old)


@dataclass(frozen=True, slots=True)
class Rerating:
    """What a list would change of the charges from one day up to, but not, another.

    ``lines`` are those that differ; ``lines_same`` is how many do not. Without a price are
    ``unpriced_old`` and ``unpriced_new`` tokens and units. ``demand_differs``: demand charges are
    other ones too, which no line has.
    """

    start: date
    end: date
    tenant: str | None
    lines: tuple[Line, ...]
    lines_same: int
    sums: tuple[Sum, ...]
    unpriced_old: int
    unpriced_new: int
    demand_differs: bool


class Tally:
    """Adds up lines as they come, and keeps those that differ."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.lines_same = 0
        self.unpriced_old = 0
        self.unpriced_new = 0
        self._old: dict[str, Decimal] = defaultdict(Decimal)
        self._new: dict[str, Decimal] = defaultdict(Decimal)

    def add(self, line: Line) -> None:
        """Count a line."""
        if line.differs:
            self.lines.append(line)
        else:
            self.lines_same += 1
        for rated, sums in ((line.old, self._old), (line.new, self._new)):
            if rated.amount is not None:
                sums[rated.currency] = total((sums[rated.currency], rated.amount))
        self.unpriced_old += line.quantity if line.old.price is None else 0
        self.unpriced_new += line.quantity if line.new.price is None else 0

    def sums(self) -> tuple[Sum, ...]:
        """The sums, by currency."""
        return tuple(
            Sum(currency, self._old.get(currency, NOTHING), self._new.get(currency, NOTHING))
            for currency in sorted({*self._old, *self._new})
        )
