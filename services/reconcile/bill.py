"""PURE. What a bill says, whatever export it came in: quantities and amounts, by day and class.

A bill has its own grain. It may tell all models apart or none, output with its reasoning or
without, tiers or not. A line names only what the export tells; `grain` brings the meter's side to
the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

#: Behind what a line may be billed as beside a token class or a unit: all input, all output, all
#: tokens, or all there is, units included.
INPUT: Final = "input"
TOKENS: Final = "tokens"
ALL: Final = "all"
#: The tier of a line that tells batches apart and nothing else: every tier but batch.
NOT_BATCH: Final = "not batch"
DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Days:
    """Whole days in UTC, half-open: from ``first`` up to ``end``. Most bills go by one day."""

    first: date
    end: date

    def __str__(self) -> str:
        last = self.end - DAY
        return f"{self.first}" if last == self.first else f"{self.first}..{last}"

    def holds(self, day: date) -> bool:
        """Whether the day is one of these."""
        return self.first <= day < self.end


def one_day(day: date) -> Days:
    """Give a single day."""
    return Days(day, day + DAY)


@dataclass(frozen=True, slots=True, order=True)
class Context:
    """Which side of a threshold of input tokens a line is for; 0 where the bill does not tell."""

    threshold_tokens: int = 0
    above: bool = False

    def __str__(self) -> str:
        if not self.threshold_tokens:
            return ""
        return f"{'above' if self.above else 'up to'} {self.threshold_tokens} input tokens"


ANY_CONTEXT: Final = Context()


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What a line is for; '' is what the bill does not tell apart.

    ``billed_as`` is a token class, a unit, or one of the names above. The meter's side is brought
    to the same keys.
    """

    days: Days
    provider: str
    model: str
    billed_as: str
    service_tier: str = ""
    context: Context = ANY_CONTEXT


@dataclass(frozen=True, slots=True)
class Billed:
    """What a bill says of one key, all its rows together; what it does not say is None.

    ``slack`` is by how much the quantity may be off because the export rounded it.
    ``amounts`` counts the amounts that were added up: each may be rounded by itself.
    """

    quantity: int | None
    slack: int
    amount: Decimal | None
    amounts: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Rows that nothing metered can be held against, such as storage: what they are, their sum."""

    what: str
    rows: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Bill:
    """One export, or several pages of one.

    ``covered`` are the days that it speaks of, those included on which nothing was billed.
    ``providers`` are those that it is of, '' where it does not say, even if they billed nothing.
    ``requests`` counts by (days, provider, model). Amounts are in ``currency``, '' where there are
    none, and written with ``places`` decimals at most.
    """

    format: str
    currency: str
    places: int
    covered: tuple[Days, ...]
    providers: frozenset[str]
    lines: dict[Key, Billed]
    requests: dict[tuple[Days, str, str], int]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]

    @property
    def tells_quantities(self) -> bool:
        """Whether any line has a quantity."""
        return any(one.quantity is not None for one in self.lines.values())

    @property
    def tells_amounts(self) -> bool:
        """Whether any line has an amount."""
        return any(one.amount is not None for one in self.lines.values())
