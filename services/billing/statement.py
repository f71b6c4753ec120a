"""A statement of account: what a tenant used and owes for a billing period. Values only.

The database does the arithmetic (views `charges` and `statements`); here lines are grouped for
people to read. All money is Decimal and stays exact; `due_usd` is rounded, once and at the end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

CENT: Final = Decimal("0.01")
#: Registers of a tenant's meter, as readings show them: column of `usage_hour` and name.
REGISTERS: Final = (
    ("input_tokens", "input"),
    ("cache_read_input_tokens", "of it read from cache"),
    ("cache_write_input_tokens", "of it written to cache"),
    ("output_tokens", "output"),
    ("reasoning_output_tokens", "of it reasoning"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the view `statements`; what a kind of line does not have is '' or None."""

    kind: str
    region: str
    provider: str
    model: str
    entry: str
    token_class: str
    tou_period: str
    tariff_id: str
    tokens: int
    usd_per_million_tokens: Decimal | None
    peak_hour: datetime | None
    demand_tokens_per_second: int | None
    usd_per_token_per_second: Decimal | None
    amount_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class Reading:
    """A register at the start and at the end of the period, in tokens."""

    register: str
    start_tokens: int
    end_tokens: int

    @property
    def used_tokens(self) -> int:
        """What the meter counted in between."""
        return self.end_tokens - self.start_tokens


@dataclass(frozen=True, slots=True)
class Statement:
    """Everything on the bill. ``period_end`` is the first day after it.

    ``running`` says that the period is not over; ``daily_tokens`` has every day of the period
    that has begun.
    """

    tenant: str
    period_start: date
    period_end: date
    running: bool
    readings: tuple[Reading, ...]
    lines: tuple[Line, ...]
    daily_tokens: tuple[tuple[date, int], ...]

    @property
    def total_usd(self) -> Decimal:
        """The exact total, as the view has it."""
        (total,) = (line.amount_usd for line in self.lines if line.kind == "total")
        return total or Decimal(0)

    @property
    def due_usd(self) -> Decimal:
        """The total in whole cents, half a cent upwards."""
        return self.total_usd.quantize(CENT, ROUND_HALF_UP)

    @property
    def unpriced_tokens(self) -> int:
        """Tokens that no price fits; they are not in the total."""
        return sum(line.tokens for line in self.of("unpriced"))

    def of(self, *kinds: str) -> list[Line]:
        """The lines of these kinds."""
        return [line for line in self.lines if line.kind in kinds]

    def subtotal_usd(self, *kinds: str) -> Decimal:
        """The exact sum of the lines of these kinds."""
        return sum((line.amount_usd or Decimal(0) for line in self.of(*kinds)), Decimal(0))


@dataclass(frozen=True, slots=True)
class Group:
    """Lines that are alike but for what was left out: their common labels, and sums."""

    labels: tuple[Any, ...]
    tokens: int
    amount_usd: Decimal | None


def grouped(lines: Iterable[Line], labels: Callable[[Line], tuple[Any, ...]]) -> list[Group]:
    """Sum lines of equal labels, in the order of the labels; an amount of None stays None."""
    tokens: dict[tuple[Any, ...], int] = defaultdict(int)
    amounts: dict[tuple[Any, ...], Decimal | None] = {}
    for line in lines:
        key = labels(line)
        tokens[key] += line.tokens
        held = amounts.get(key)
        amounts[key] = line.amount_usd if held is None else held + (line.amount_usd or Decimal(0))
    ordered = sorted(tokens, key=lambda key: tuple(str(part) for part in key))
    return [Group(key, tokens[key], amounts[key]) for key in ordered]


def energy_lines(statement: Statement) -> list[Group]:
    """Usage by (provider, model, token class, TOU period, price), all regions together."""
    return grouped(
        statement.of("energy"),
        lambda line: (
            *(line.provider, line.model, line.token_class, line.tou_period),
            line.usd_per_million_tokens,
        ),
    )


def unpriced_lines(statement: Statement) -> list[Group]:
    """What no price fits, by (entry, provider, model, token class), all regions together."""
    return grouped(
        statement.of("unpriced"),
        lambda line: (line.entry, line.provider, line.model, line.token_class),
    )


def money(amount: Decimal | None) -> str:
    """Write an exact amount: two decimals at least, and as many more as it has."""
    if amount is None:
        return "unpriced"
    digits = f"{amount.normalize():,f}"
    whole, _, decimals = digits.partition(".")
    return f"{whole}.{decimals:0<2}"
