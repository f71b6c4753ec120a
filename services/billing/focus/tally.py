"""PURE. Adds up rows of FOCUS as they pass, and says whether they come to what was billed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from services.billing.exact import total
from services.billing.focus.charge_rows import CORRECTION
from services.billing.focus.columns import FocusRow
from services.billing.focus.sku import TOKENS

NOTHING: Final = Decimal(0)


class Tally:
    """Sums of rows, of each tenant and of all."""

    def __init__(self) -> None:
        self.rows = 0
        #: Tokens and units that no price fits.
        self.unpriced = 0
        self._costs: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self._tokens: dict[str, int] = defaultdict(int)

    def add(self, row: FocusRow) -> None:
        """Count a row."""
        self.rows += 1
        key = row.billing_account_id, row.billing_currency
        self._costs[key] = total((self._costs[key], row.billed_cost))
        if row.list_unit_price is None:
            self.unpriced += abs(int(row.consumed_quantity))
        if row.consumed_unit == TOKENS and row.charge_class != CORRECTION:
            self._tokens[row.billing_account_id] += int(row.consumed_quantity)

    @property
    def tokens(self) -> int:
        """Tokens that were used, corrections aside."""
        return sum(self._tokens.values())

    def costs(self) -> dict[str, Decimal]:
        """BilledCost by currency."""
        found: dict[str, Decimal] = defaultdict(Decimal)
        for (_, currency), cost in self._costs.items():
            found[currency] = total((found[currency], cost))
        return dict(sorted(found.items()))

    def differences(self, billed: Mapping[str, Decimal], metered: Mapping[str, int]) -> list[str]:
        """What differs from statements and meters, of each tenant that does; nothing is best.

        ``billed`` is what each tenant's statement comes to in its currency, ``metered`` its tokens.
        """
        costs: dict[str, Decimal] = defaultdict(Decimal)
        for (tenant, _), cost in self._costs.items():
            costs[tenant] = total((costs[tenant], cost))
        found = []
        for tenant in sorted({*costs, *billed, *metered}):
            cost, owed = costs.get(tenant, NOTHING), billed.get(tenant, NOTHING)
            if cost != owed:
                found.append(f"{tenant}: the rows bill {cost:f}, the statement {owed:f}")
            tokens, used = self._tokens.get(tenant, 0), metered.get(tenant, 0)
            if tokens != used:
                found.append(f"{tenant}: the rows have {tokens:,} tokens, the meter {used:,}")
        return found
