"""PURE. Bill and meter side by side: a cell for each key, with both quantities or both amounts."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final

from services.reconcile.bill import Bill, Days, Key
from services.reconcile.grain import Grain
from services.reconcile.metered import NOTHING, Meter, Quantities, Refused, is_tokens

ZERO: Final = Decimal(0)
#: Sums of doubles, as providers make them, are right to about so much of the amount.
FLOAT_NOISE: Final = Decimal("1E-9")


@dataclass(slots=True)
class QuantityCell:
    """Billed and metered quantity of one key, and the prices at which it was metered, each.

    ``slack`` is by how much the export may have rounded the billed one.
    """

    billed: int = 0
    slack: int = 0
    metered: Quantities = NOTHING
    lowest: Decimal | None = None
    highest: Decimal | None = None
    priced: int = 0
    amount: Decimal = ZERO


@dataclass(slots=True)
class AmountCell:
    """Billed and metered amount of one key; ``unpriced`` is what the catalogue had no price for.

    ``slack`` is by how much the billed one may be off for its rows were rounded each.
    """

    billed: Decimal = ZERO
    slack: Decimal = ZERO
    metered: Decimal = ZERO
    unpriced: int = 0


@dataclass(slots=True)
class Calls:
    """Requests of a period and model on both sides; the billed ones are None where not told."""

    billed: int | None = None
    metered: int = 0
    failed: int = 0
    estimated_tokens: int = 0
    refused: list[Refused] = field(default_factory=list)


#: Period, provider, model.
Where = tuple[Days, str, str]


def quantity_cells(
    bill: Bill, grain: Grain, meter: Meter
) -> tuple[dict[Key, QuantityCell], set[str]]:
    """Give the cells of quantities, and the units that the bill is silent on."""
    cells: defaultdict[Key, QuantityCell] = defaultdict(QuantityCell)
    silent: set[str] = set()
    for line, billed in bill.lines.items():
        if billed.quantity is not None:
            cell = cells[grain.of_line(line)]
            cell.billed += billed.quantity
            cell.slack += billed.slack
    for one in meter.usage:
        where = (one.day, one.provider, one.model, one.billed_as)
        key = grain.of_metered(*where, one.service_tier, one.context_band)
        if key is not None:
            cells[key].metered += one.quantities
        elif grain.names(one.provider) and not is_tokens(one.billed_as):
            silent.add(one.billed_as)
    for charge in meter.charges:
        where = (charge.day, charge.provider, charge.model, charge.billed_as)
        key = grain.of_metered(*where, charge.service_tier, charge.context_band)
        if key is None or key not in cells:
            continue
        if charge.lowest is not None and charge.highest is not None:
            cell = cells[key]
            lowest = charge.lowest if cell.lowest is None else cell.lowest
            highest = charge.highest if cell.highest is None else cell.highest
            cell.lowest = min(lowest, charge.lowest)
            cell.highest = max(highest, charge.highest)
            cell.priced += charge.quantity - charge.unpriced
            cell.amount += charge.amount
    return dict(cells), silent


def amount_cells(bill: Bill, grain: Grain, meter: Meter) -> dict[Key, AmountCell]:
    """Give the cells of amounts."""
    cells: defaultdict[Key, AmountCell] = defaultdict(AmountCell)
    half = Decimal(5).scaleb(-bill.places - 1)
    for line, billed in bill.lines.items():
        if billed.amount is not None:
            cell = cells[grain.of_line(line)]
            cell.billed += billed.amount
            cell.slack += half * billed.amounts + FLOAT_NOISE * abs(billed.amount)
    for charge in meter.charges:
        where = (charge.day, charge.provider, charge.model, charge.billed_as)
        key = grain.of_metered(*where, charge.service_tier, charge.context_band)
        if key is not None:
            cells[key].metered += charge.amount
            cells[key].unpriced += charge.unpriced
    return dict(cells)


def calls_of(bill: Bill, grain: Grain, meter: Meter) -> dict[Where, Calls]:
    """Give the requests of both sides, and what the meter refused, by period and model."""
    found: defaultdict[Where, Calls] = defaultdict(Calls)
    for (days, provider, model), count in bill.requests.items():
        calls = found[days, provider if grain.tells_providers else "", model]
        calls.billed = count + (calls.billed or 0)
    for one in meter.requests:
        where = _where(grain, one.day, one.provider, one.model)
        if where is not None:
            calls = found[where]
            calls.metered += one.count
            calls.failed += one.failed
            calls.estimated_tokens += one.estimated_tokens
            if bill.requests and calls.billed is None:
                calls.billed = 0
    for refused in meter.refused:
        where = _where(grain, refused.day, refused.provider, refused.model)
        if where is not None:
            found[where].refused.append(refused)
    return dict(found)


def _where(grain: Grain, day: date, provider: str, model: str) -> Where | None:
    """Give period, provider and model under which the bill has a call's tokens."""
    key = grain.of_metered(day, provider, model, "uncached_input", "", 0)
    return None if key is None else (key.days, key.provider, key.model)
