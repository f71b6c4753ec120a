"""PURE. What a reconciliation says: differences with their causes, and sums over them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from services.reconcile.bill import Days, Key, LeftOut
from services.reconcile.metered import is_tokens

ZERO: Final = Decimal(0)
HUNDRED: Final = Decimal(100)


class Cause(StrEnum):
    """Why bill and meter differ; docs/reconcile.md has the rules."""

    NOT_REPORTED = "not reported"
    REPORTED_TWICE = "reported twice"
    OTHER_PRICE = "other price"
    OTHER_CLASS = "other class"
    LATE = "late"
    ROUNDING = "rounding"
    UNEXPLAINED = "unexplained"


#: These even themselves out, or are no more than how numbers are written: no tolerance is needed
#: for them.
HARMLESS: Final = frozenset((Cause.LATE, Cause.ROUNDING))


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference, bill minus meter: what the bill has more is above 0.

    ``quantity`` is of tokens or of the key's unit, and None where only money differs; ``amount`` is
    None where the bill or the meter has none. ``evidence`` is what the cause was decided by.
    """

    key: Key
    cause: Cause
    quantity: int | None
    amount: Decimal | None
    evidence: str


@dataclass(frozen=True, slots=True)
class Sum:
    """What a cause makes up: what the bill has more and less, each above 0."""

    more: Decimal
    less: Decimal

    @property
    def net(self) -> Decimal:
        """What is left where more and less even out."""
        return self.more - self.less

    @property
    def size(self) -> Decimal:
        """How much is out of place; what moved from one class to another counts once."""
        return max(self.more, self.less)


@dataclass(frozen=True, slots=True)
class Totals:
    """Both sides of one measure: tokens, a unit, or the currency."""

    measure: str
    billed: Decimal
    metered: Decimal

    @property
    def difference(self) -> Decimal:
        """What the bill has more."""
        return self.billed - self.metered

    def percent(self, value: Decimal) -> Decimal:
        """Give a part of what was billed; of nothing billed, any part is the whole."""
        if self.billed:
            return abs(value) / abs(self.billed) * HUNDRED
        return HUNDRED if value else ZERO


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The outcome. ``totals`` are of the days compared, tokens and the currency first."""

    formats: tuple[str, ...]
    providers: tuple[str, ...]
    covered: tuple[Days, ...]
    currency: str
    totals: tuple[Totals, ...]
    findings: tuple[Finding, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]
    tolerance_percent: Decimal

    def sums(self, measure: str) -> dict[Cause, Sum]:
        """Give what each cause makes up of a measure, in the order of the causes."""
        found: dict[Cause, Sum] = {}
        for cause in Cause:
            of_cause = [
                value
                for one in self.findings
                if one.cause == cause and (value := self._value(one, measure))
            ]
            if of_cause:
                found[cause] = Sum(
                    sum((value for value in of_cause if value > 0), ZERO),
                    -sum((value for value in of_cause if value < 0), ZERO),
                )
        return found

    def deviation_percent(self, totals: Totals) -> Decimal:
        """How much of a measure is out of place for causes that are not harmless, in percent."""
        sums = self.sums(totals.measure).items()
        return totals.percent(sum((one.size for cause, one in sums if cause not in HARMLESS), ZERO))

    @property
    def within_tolerance(self) -> bool:
        """Whether no measure deviates by more than the tolerance."""
        return all(self.deviation_percent(one) <= self.tolerance_percent for one in self.totals)

    def _value(self, finding: Finding, measure: str) -> Decimal | None:
        if measure == self.currency:
            return finding.amount
        if finding.quantity is None or measure != measure_of(finding.key):
            return None
        return Decimal(finding.quantity)


TOKENS: Final = "tokens"


def measure_of(key: Key) -> str:
    """Name what a key's quantity is counted in: tokens, or its unit."""
    return TOKENS if is_tokens(key.billed_as) else key.billed_as


def totals_of(measure: str, sides: Iterable[tuple[Decimal, Decimal]]) -> Totals:
    """Add up (billed, metered)."""
    billed = metered = ZERO
    for one, other in sides:
        billed += one
        metered += other
    return Totals(measure, billed, metered)
