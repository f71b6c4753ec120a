"""PURE. Why amounts differ: the worth of tokens that differ, and the price of those that do not.

Where the bill tells quantities, an amount's difference is split without a remainder:

- Tokens that differ are worth the metered price of their class. Where several were charged in it
  (by the hour of the day, by region), they may have had any of them: the one that leaves least.
- What is left, if no more than the rows of the export may be rounded by, is **rounding**. If
  tokens differ in a class that the meter charged nothing in, it is their worth: the bill's price of
  another tier, say. Else the tokens are the same and the price is not: **other price**.

Where it tells amounts alone, the difference is one of price if it is the same factor on each of at
least two days, and goes by its sign else: more is **not reported**, and less of something that is
billed, **reported twice**. What the bill has in a class that the meter charged nothing in, with
less in another of the model that day, is **other class**.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from services.reconcile.bill import ALL, Key
from services.reconcile.causes import Piece
from services.reconcile.cells import AmountCell, QuantityCell
from services.reconcile.findings import Cause, Finding
from services.reconcile.metered import is_tokens

ZERO: Final = Decimal(0)
#: Worths are shown to so much; what is cut off goes to the cell's remainder, so sums stay exact.
STEP: Final = Decimal("1E-12")


def without_amounts(pieces: Sequence[Piece]) -> list[Finding]:
    """Give findings of quantities alone, where bill or meter tells no amounts."""
    return [Finding(one.key, one.cause, one.quantity, None, one.evidence) for one in pieces]


def with_amounts(
    pieces: Sequence[Piece],
    quantities: Mapping[Key, QuantityCell],
    amounts: Mapping[Key, AmountCell],
    amount_key: Mapping[Key, Key | None],
) -> list[Finding]:
    """Give findings of quantities and amounts; the amounts add up to each cell's difference.

    ``amount_key`` says in which amount the quantities of a key are; None where they are in several.
    """
    of_amount: defaultdict[Key, list[Piece]] = defaultdict(list)
    inside: defaultdict[Key, list[QuantityCell]] = defaultdict(list)
    for key, place in amount_key.items():
        if place is not None:
            inside[place].append(quantities[key])
    findings: list[Finding] = []
    for piece in pieces:
        where = amount_key.get(piece.key)
        if where is None or where not in amounts:
            findings.append(Finding(piece.key, piece.cause, piece.quantity, None, piece.evidence))
        else:
            of_amount[where].append(piece)
    alone: dict[Key, AmountCell] = {}
    for key, cell in sorted(amounts.items()):
        if key in inside:
            findings += _Split(key, cell, quantities, of_amount[key], inside[key]).findings()
        else:
            alone[key] = cell
    return findings + amounts_alone(alone)


@dataclass(frozen=True, slots=True)
class _Split:
    """Splits the difference of one amount between the tokens that differ, and the rest."""

    key: Key
    cell: AmountCell
    quantities: Mapping[Key, QuantityCell]
    pieces: list[Piece]
    inside: list[QuantityCell]

    def findings(self) -> list[Finding]:
        difference = self.cell.billed - self.cell.metered
        worths = self._worths(difference)
        rest = difference - sum((worth for worth in worths if worth is not None), ZERO)
        unknown = [n for n, worth in enumerate(worths) if worth is None]
        if unknown and abs(rest) > self.cell.slack:
            for n, share in zip(unknown, self._shares(unknown, rest), strict=True):
                worths[n] = share
            rest = ZERO
        found = [
            Finding(one.key, one.cause, one.quantity, worth, one.evidence)
            for one, worth in zip(self.pieces, worths, strict=True)
        ]
        if rest:
            cause = Cause.ROUNDING if abs(rest) <= self.cell.slack else Cause.OTHER_PRICE
            found.append(Finding(self.key, cause, None, rest, self._evidence(cause)))
        return found

    def _worths(self, difference: Decimal) -> list[Decimal | None]:
        """Give what each piece is worth: at the lowest prices, the highest, or in between."""
        low = [self._worth(one, highest=one.quantity < 0) for one in self.pieces]
        high = [self._worth(one, highest=one.quantity > 0) for one in self.pieces]
        least = sum((one for one in low if one is not None), ZERO)
        most = sum((one for one in high if one is not None), ZERO)
        if most == least or None in low:
            share = Decimal(1) / 2
        else:
            share = min(max((difference - least) / (most - least), ZERO), Decimal(1))
        return [
            None if one is None or other is None else _cut(one + (other - one) * share)
            for one, other in zip(low, high, strict=True)
        ]

    def _worth(self, piece: Piece, *, highest: bool) -> Decimal | None:
        cell = self.quantities[piece.key]
        price = cell.highest if highest else cell.lowest
        return None if price is None else piece.quantity * price

    def _shares(self, unknown: list[int], rest: Decimal) -> list[Decimal]:
        """Share the remainder among pieces without a price, by size; the last has what is left."""
        sizes = [abs(self.pieces[n].quantity) for n in unknown]
        shares = [_cut(rest * size / sum(sizes)) for size in sizes[:-1]]
        return [*shares, rest - sum(shares, ZERO)]

    def _evidence(self, cause: Cause) -> str:
        if cause == Cause.ROUNDING:
            return "no more than the export's rows are rounded by"
        if self.cell.unpriced:
            return f"the catalogue has no price for {self.cell.unpriced:,} of it"
        billed = sum(one.billed for one in self.inside)
        priced = sum(one.priced for one in self.inside)
        if not billed or not priced:
            return f"billed {self.cell.billed:f}, metered {self.cell.metered:f}"
        ours = sum((one.amount for one in self.inside), ZERO) / priced
        per, name = (1000, "thousand") if _is_unit(self.key) else (1_000_000, "million")
        theirs = _figure(self.cell.billed / billed * per)
        return f"billed at {theirs} a {name}, metered at {_figure(ours * per)}"


def amounts_alone(cells: Mapping[Key, AmountCell]) -> list[Finding]:
    """Give the findings of amounts beside which the bill tells no quantities."""
    groups: defaultdict[tuple[object, ...], list[tuple[Key, AmountCell]]] = defaultdict(list)
    for key, cell in sorted(cells.items()):
        line = (key.provider, key.model, key.billed_as, key.service_tier, key.context)
        groups[line].append((key, cell))
    factors = {name: factor for name, group in groups.items() if (factor := _factor(group))}
    findings: list[Finding] = []
    for name, group in groups.items():
        for key, cell in group:
            difference = cell.billed - cell.metered
            if not difference:
                continue
            cause, evidence = _of_amount(key, cell, factors.get(name), cells)
            findings.append(Finding(key, cause, None, difference, evidence))
    return findings


def _of_amount(
    key: Key, cell: AmountCell, factor: Decimal | None, cells: Mapping[Key, AmountCell]
) -> tuple[Cause, str]:
    difference = cell.billed - cell.metered
    if abs(difference) <= cell.slack:
        return Cause.ROUNDING, "no more than the export's rows are rounded by"
    if cell.unpriced:
        return Cause.OTHER_PRICE, f"the catalogue has no price for {cell.unpriced:,} of it"
    if factor is not None:
        return Cause.OTHER_PRICE, f"{_figure(factor)} times the metered amount on every day"
    beside = [
        other
        for place, other in cells.items()
        if (place.days, place.provider, place.model) == (key.days, key.provider, key.model)
        and place != key
    ]
    if difference > 0 and not cell.metered and any(_short(one) for one in beside):
        return Cause.OTHER_CLASS, "the meter charged nothing in this class, and more in another"
    if difference < 0 and any(one.billed and not one.metered for one in beside):
        return Cause.OTHER_CLASS, "the bill has something in a class that the meter has nothing in"
    alone = "the bill tells amounts alone"
    if difference > 0:
        return Cause.NOT_REPORTED, alone
    if cell.billed:
        return Cause.REPORTED_TWICE, alone
    return Cause.UNEXPLAINED, f"not on the bill; {alone}"


def _short(cell: AmountCell) -> bool:
    return cell.metered - cell.billed > cell.slack


def _factor(group: Sequence[tuple[Key, AmountCell]]) -> Decimal | None:
    """Give the factor by which the bill is the meter's amount on each day; None if it is none.

    A price is the same factor every day, a loss is not. One day tells nothing.
    """
    known = [cell for _, cell in group if cell.metered and not cell.unpriced]
    if len(known) < 2:
        return None
    billed = sum((cell.billed for cell in known), ZERO)
    factor = billed / sum((cell.metered for cell in known), ZERO)
    fits = all(abs(cell.billed - factor * cell.metered) <= 2 * cell.slack for cell in known)
    return factor if fits and factor != 1 else None


def _cut(amount: Decimal) -> Decimal:
    return amount.quantize(STEP, ROUND_HALF_EVEN)


def _figure(value: Decimal) -> str:
    """Write a price or a factor, to six decimals."""
    return f"{value.quantize(Decimal('1E-6'), ROUND_HALF_EVEN).normalize():f}"


def _is_unit(key: Key) -> bool:
    return key.billed_as != ALL and not is_tokens(key.billed_as)
