"""PURE. What a month comes to under a plan: lines as bills have them, and electricity."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from services.billing.electricity import Electricity
from services.billing.exact import total
from services.billing.plans.plan import Plan
from services.billing.statement import PRICED


@dataclass(frozen=True, slots=True)
class PlanLine:
    """A line of the view `statements`, of one tenant or the sum of all.

    ``kind`` is energy, adjustment, demand or unpriced. ``price`` is per million tokens, thousand
    units, or token/s of demand; it and ``amount`` are in ``currency``, and None where no price
    fits. ``quantity`` of demand is the tokens of the highest hour.
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
    currency: str
    price: Decimal | None
    quantity: int
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A plan with its lines, and the electricity that plain usage took under it."""

    plan: Plan
    lines: tuple[PlanLine, ...]
    electricity: Electricity

    def costs(self) -> dict[str, dict[str, Decimal]]:
        """Exact sums of each kind of line that has amounts, by currency."""
        amounts: dict[str, dict[str, list[Decimal]]] = defaultdict(lambda: defaultdict(list))
        for line in self.lines:
            if line.amount is not None:
                amounts[line.currency][line.kind].append(line.amount)
        return {
            currency: {kind: total(kinds[kind]) for kind in PRICED}
            for currency, kinds in sorted(amounts.items())
        }

    def totals(self) -> dict[str, Decimal]:
        """What is owed, by currency: the exact sum of all lines."""
        return {name: total(kinds.values()) for name, kinds in self.costs().items()}

    def used(self) -> Counter[tuple[str, str, str]]:
        """Quantities by entry, token class and unit: the same under every plan."""
        return _quantities(line for line in self.lines if line.kind != "demand")

    def unpriced(self) -> Counter[tuple[str, str, str]]:
        """The same of what no price fits, which is in no amount."""
        return _quantities(line for line in self.lines if line.kind == "unpriced")

    def unpriced_tokens(self) -> int:
        """Tokens of all entries that no price fits."""
        return sum(count for (_, _, unit), count in self.unpriced().items() if not unit)

    def unpriced_units(self) -> dict[str, int]:
        """What no price fits beside tokens, by unit."""
        found: Counter[str] = Counter()
        for (_, _, unit), count in self.unpriced().items():
            if unit:
                found[unit] += count
        return dict(sorted(found.items()))


def _quantities(lines: Iterable[PlanLine]) -> Counter[tuple[str, str, str]]:
    found: Counter[tuple[str, str, str]] = Counter()
    for line in lines:
        found[line.entry, line.token_class, line.unit] += line.quantity
    return found
