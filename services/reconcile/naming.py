"""PURE. One name of a provider and of a model, on the bill and on the meter alike.

Bills name snapshots (gpt-5.6-luna-2026-07-30) where gateways may report what was asked for, and
FOCUS has vendors' names in capitals. The catalogue's names count; of models that it does not know,
a date behind the name and case say nothing.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from schemas.catalogue.names import Names
from services.reconcile.bill import Bill, Billed, Days, Key

_DATE: Final = re.compile(r"[-@](20\d{6}|20\d\d-\d\d-\d\d)$")
_DIGIT_POINT: Final = re.compile(r"(?<=\d)\.(?=\d)")


class Naming:
    """Finds the names; ``provider`` is the bill's where it names none, or another for all of it."""

    def __init__(self, names: Names, provider: str = "") -> None:
        self._names = names
        self._given = names.provider(provider) if provider else ""

    def provider(self, name: str) -> str:
        """The provider's one name; '' where none is told."""
        return self._names.provider(name) if name else ""

    def of_bill(self, provider: str, model: str) -> tuple[str, str]:
        """Give the names of a line: who served may stand before the model, as LiteLLM has it."""
        route = self._names.route(model)
        if route is not None:
            routed, model = route
            provider = provider or routed
        return self._given or self.provider(provider), self.model(model)

    def model(self, name: str) -> str:
        """The model's one name; '' where none is told."""
        found = self._names.model(name)
        if found != name or self._names.knows_model(name):
            return found
        return _DIGIT_POINT.sub("-", _DATE.sub("", name.casefold()))

    def named(self, bill: Bill) -> Bill:
        """Give the bill with these names; lines that only a name told apart become one."""
        lines: dict[Key, Billed] = {}
        for key, billed in bill.lines.items():
            provider, model = self.of_bill(key.provider, key.model)
            named = replace(key, provider=provider, model=model)
            held = lines.get(named)
            lines[named] = billed if held is None else joined(held, billed)
        requests: dict[tuple[Days, str, str], int] = {}
        for (days, provider, model), count in bill.requests.items():
            where = (days, *self.of_bill(provider, model))
            requests[where] = requests.get(where, 0) + count
        providers = {self.of_bill(provider, "")[0] for provider in bill.providers if provider}
        providers |= {key.provider for key in lines}
        return replace(
            bill, providers=frozenset(providers or {self._given}), lines=lines, requests=requests
        )


def joined(one: Billed, other: Billed) -> Billed:
    """Add two lines up; what only one of them tells is that one's."""
    quantities = [n for n in (one.quantity, other.quantity) if n is not None]
    amounts = [n for n in (one.amount, other.amount) if n is not None]
    return Billed(
        quantity=sum(quantities) if quantities else None,
        slack=one.slack + other.slack,
        amount=sum(amounts[1:], amounts[0]) if amounts else None,
        amounts=one.amounts + other.amounts,
    )
