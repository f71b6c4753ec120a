"""PURE. A bill against the meter: sums of both sides, and each difference with its cause."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal, localcontext
from typing import Final

from services.platform.errors import ConfigurationError
from services.reconcile.bill import Bill, Days, Key
from services.reconcile.causes import Piece, pieces_of
from services.reconcile.cells import (
    AmountCell,
    QuantityCell,
    amount_cells,
    calls_of,
    quantity_cells,
)
from services.reconcile.findings import (
    TOKENS,
    Finding,
    Reconciliation,
    Totals,
    measure_of,
    totals_of,
)
from services.reconcile.grain import Grain
from services.reconcile.metered import TOKEN_CLASSES, Meter, is_tokens
from services.reconcile.money import with_amounts, without_amounts

#: Sums of amounts with up to thirty decimals, as OpenAI writes them, are exact in so many digits.
DIGITS: Final = 60


@dataclass(frozen=True, slots=True)
class Sides:
    """What the files make up: the bill that tells quantities and the one that tells amounts.

    They are the same where an export tells both. ``covered`` are the days that both speak of.
    """

    quantities: Bill | None
    amounts: Bill | None
    covered: tuple[Days, ...]
    notes: tuple[str, ...]

    @property
    def bills(self) -> list[Bill]:
        """The bills, each once."""
        found = [self.quantities, *([] if self.amounts is self.quantities else [self.amounts])]
        return [one for one in found if one is not None]

    @property
    def span(self) -> Days:
        """From the first day to the last."""
        return Days(
            min(days.first for days in self.covered), max(days.end for days in self.covered)
        )


def sides_of(bills: Sequence[Bill], first: date | None, end: date | None) -> Sides:
    """Tell which bill tells what; of days from ``first`` up to ``end`` only, where given.

    Raises `ConfigurationError` for bills of which none completes another, and where no day is left.
    """
    if len(bills) == 1:
        (only,) = bills
        told = only if only.tells_quantities else None
        pair = (told, only if only.tells_amounts else None)
        # A usage export without a row still says that nothing was used.
        quantities, amounts = pair if pair != (None, None) else (only, None)
    else:
        quantities, amounts = _completing(bills)
    both = [one for one in (quantities, amounts) if one is not None]
    common = set.intersection(*(set(one.covered) for one in both))
    covered = tuple(
        days
        for days in sorted(common)
        if (first is None or first <= days.first) and (end is None or days.end <= end)
    )
    if not covered:
        raise ConfigurationError(
            "no whole day is left to compare: the files have"
            f" {'; '.join(_span(one.covered) for one in both)}"
        )
    lost = sorted(set().union(*(one.covered for one in both)) - common)
    note = f"not compared, for only one of the files has them: {', '.join(map(str, lost))}"
    cut = {id(one): _cut(one, covered) for one in both}
    return Sides(
        None if quantities is None else cut[id(quantities)],
        None if amounts is None else cut[id(amounts)],
        covered,
        (note,) if lost else (),
    )


def compare(
    sides: Sides, meter: Meter, now: datetime, tolerance_percent: Decimal
) -> Reconciliation:
    """Hold the bill against the meter.

    Raises `ConfigurationError` where their currencies differ.
    """
    with localcontext() as context:
        context.prec = DIGITS
        return _compare(sides, meter, now, tolerance_percent)


def _compare(
    sides: Sides, meter: Meter, now: datetime, tolerance_percent: Decimal
) -> Reconciliation:
    notes = [note for bill in sides.bills for note in bill.notes] + list(sides.notes)
    quantities: dict[Key, QuantityCell] = {}
    pieces: list[Piece] = []
    grain: Grain | None = None
    if sides.quantities is not None:
        told = [key for key, one in sides.quantities.lines.items() if one.quantity is not None]
        grain = Grain(told, sides.covered, sides.quantities.providers, every_unit=False)
        quantities, silent = quantity_cells(sides.quantities, grain, meter)
        calls = calls_of(sides.quantities, grain, meter)
        pieces = pieces_of(quantities, calls, meter.newest_event, now)
        if silent:
            notes.append(f"metered, and not told by the bill: {', '.join(sorted(silent))}")
    amounts: dict[Key, AmountCell] = {}
    currency = ""
    if sides.amounts is None:
        findings = without_amounts(pieces)
    else:
        currency = _one_currency(sides.amounts, meter)
        told = [key for key, one in sides.amounts.lines.items() if one.amount is not None]
        by_amount = Grain(told, sides.covered, sides.amounts.providers, every_unit=True)
        amounts = amount_cells(sides.amounts, by_amount, meter)
        where = {key: _amount_key(key, grain, by_amount) for key in quantities} if grain else {}
        findings = with_amounts(pieces, quantities, amounts, where)
    if findings:
        notes.append(
            f"since it was installed, the meter dropped {meter.duplicates:,} duplicates and refused"
            f" {sum(meter.rejected.values()):,} records"
        )
    return Reconciliation(
        formats=tuple(bill.format for bill in sides.bills),
        providers=tuple(sorted(set().union(*(bill.providers for bill in sides.bills)))),
        covered=sides.covered,
        currency=currency,
        totals=_totals(quantities, amounts, currency),
        findings=tuple(sorted(findings, key=_order)),
        left_out=tuple(one for bill in sides.bills for one in bill.left_out),
        notes=tuple(dict.fromkeys(notes)),
        tolerance_percent=tolerance_percent,
    )


def _completing(bills: Sequence[Bill]) -> tuple[Bill, Bill]:
    usage = [one for one in bills if not one.tells_amounts]
    costs = [one for one in bills if one.tells_amounts]
    if len(usage) != 1 or len(costs) != 1:
        names = ", ".join(one.format for one in bills)
        raise ConfigurationError(
            f"these are {len(bills)} bills ({names}): give one export, or one of usage and one of"
            " costs of the same provider"
        )
    return usage[0], costs[0]


def _cut(bill: Bill, covered: Iterable[Days]) -> Bill:
    """Give what the bill has of these days."""
    days = set(covered)
    return replace(
        bill,
        covered=tuple(one for one in bill.covered if one in days),
        lines={key: one for key, one in bill.lines.items() if key.days in days},
        requests={key: count for key, count in bill.requests.items() if key[0] in days},
    )


def _span(covered: Sequence[Days]) -> str:
    if not covered:
        return "no whole day"
    return str(Days(min(one.first for one in covered), max(one.end for one in covered)))


def _one_currency(bill: Bill, meter: Meter) -> str:
    if meter.currency and bill.currency != meter.currency:
        raise ConfigurationError(
            f"the bill is in {bill.currency} and what was metered is charged in {meter.currency}:"
            " give the usage export alone, or price the models in the bill's currency"
        )
    return bill.currency


def _amount_key(key: Key, grain: Grain, by_amount: Grain) -> Key | None:
    """Give the amount that the quantities of a key are in; None if they are in several, or none."""
    classes = [key.billed_as]
    if is_tokens(key.billed_as):
        classes = grain.classes_in(key, TOKEN_CLASSES) or classes
    band = key.context.threshold_tokens if key.context.above else 0
    found = {
        by_amount.of_metered(
            *(key.days.first, key.provider, key.model, name, key.service_tier, band)
        )
        for name in classes
    }
    if len(found) != 1:
        return None
    (only,) = found
    if only is None or only.days != key.days:
        return None
    # Where amounts tell tiers or contexts and quantities do not, these are of several amounts.
    finer = (only.service_tier and not key.service_tier) or (
        only.context.threshold_tokens and not key.context.threshold_tokens
    )
    return None if finer else only


def _totals(
    quantities: dict[Key, QuantityCell], amounts: dict[Key, AmountCell], currency: str
) -> tuple[Totals, ...]:
    found: list[Totals] = []
    measures = sorted(
        {measure_of(key) for key in quantities}, key=lambda name: (name != TOKENS, name)
    )
    for measure in measures:
        of_measure = (cell for key, cell in quantities.items() if measure_of(key) == measure)
        sides = ((Decimal(cell.billed), Decimal(cell.metered.whole)) for cell in of_measure)
        found.append(totals_of(measure, sides))
    if currency:
        sides = ((cell.billed, cell.metered) for cell in amounts.values())
        found.insert(1 if TOKENS in measures else 0, totals_of(currency, sides))
    return tuple(found)


def _order(finding: Finding) -> tuple[Key, str, int]:
    return finding.key, finding.cause, finding.quantity or 0
