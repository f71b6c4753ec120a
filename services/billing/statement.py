"""PURE. What a tenant used and what it costs for a billing period, as it is metered and priced.

The database does the arithmetic of prices (views `charges` and `statements`); each line is in the
currency of its tariff. `services.billing.bill` makes one currency of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from services.billing.electricity import ModelElectricity

#: Registers of a tenant's meter, as readings show them: column of `usage_hour_parts` and name.
REGISTERS: Final = (
    ("input_tokens", "input"),
    ("cache_read_input_tokens", "of it read from cache"),
    ("cache_write_input_tokens", "of it written to cache"),
    ("output_tokens", "output"),
    ("reasoning_output_tokens", "of it reasoning"),
)
#: Lines that have an amount, in the order of a bill.
PRICED: Final = ("energy", "adjustment", "demand")


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the view `statements`; what a kind of line does not have is '' or None.

    ``quantity`` is tokens, or pieces of the ``unit``. ``price`` is per million tokens or thousand
    units, ``demand_price`` per token/s; both and ``amount`` are in ``currency``.
    """

    kind: str
    region: str
    provider: str
    model: str
    entry: str
    service_tier: str
    context_band: int
    token_class: str
    unit: str
    tou_period: str
    tariff_id: str
    quantity: int
    currency: str
    price: Decimal | None
    peak_hour: datetime | None
    demand_tokens_per_second: int | None
    demand_price: Decimal | None
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What one debit or credit comes to, and why it was made.

    ``event_id`` is None for what is charged and no event tells of: it was metered before reasons
    were kept. Then ``tokens`` and ``amount`` are what is left of its hour. ``amount`` is in
    ``currency``, and None where no price fits.
    """

    time: datetime
    entry: str
    event_id: str | None
    source: str
    adjusts: str
    reason: str
    region: str
    provider: str
    model: str
    tokens: int
    currency: str
    amount: Decimal | None


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
    """Everything that a bill is made of. ``period_end`` is the first day after it.

    ``running`` says that the period is not over; ``daily_tokens`` has every day of the period that
    has begun. ``before`` are the lines of the month before, which began at ``before_start``.
    """

    tenant: str
    period_start: date
    period_end: date
    running: bool
    readings: tuple[Reading, ...]
    lines: tuple[Line, ...]
    daily_tokens: tuple[tuple[date, int], ...]
    adjustments: tuple[Adjustment, ...]
    before_start: date
    before: tuple[Line, ...]
    #: Real electricity of plain usage by model, as it is estimated; in no amount.
    electricity: tuple[ModelElectricity, ...] = ()

    @property
    def unpriced_tokens(self) -> int:
        """Tokens that no price fits; they are in no amount."""
        return sum(line.quantity for line in of_kinds(self.lines, "unpriced") if not line.unit)


def of_kinds(lines: Iterable[Line], *kinds: str) -> list[Line]:
    """The lines of these kinds."""
    return [line for line in lines if line.kind in kinds]


def used_tokens(lines: Iterable[Line]) -> int:
    """Tokens of plain usage, priced or not."""
    return sum(line.quantity for line in lines if line.entry == "usage" and not line.unit)
