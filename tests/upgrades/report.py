"""PURE: what became of upgrades: the report in docs/upgrades.json, and a line for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.upgrades.history import Pair
from tests.upgrades.orders import Order
from tests.upgrades.sums import Verdict

DIFFERENCES_TOLD: Final = 10


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one upgrade came to; without a verdict it did not come to its end, and says why."""

    pair: Pair
    order: Order
    events: int
    resent: int
    seconds: float
    steps: tuple[str, ...]
    verdict: Verdict | None
    failure: str = ""

    @property
    def exact(self) -> bool:
        """Whether it came to its end with every total as it must be."""
        return self.verdict is not None and self.verdict.exact


def line(outcome: Outcome) -> str:
    """What people read of one."""
    pair, found = outcome.pair, outcome.verdict
    what = f"{pair.name} ({pair.old[:9]} to {(pair.new or 'this tree')[:9]}), {outcome.order.value}"
    if found is None:
        return f"FAILED {what}: {outcome.failure}"
    sums = f"{outcome.events:,} events, {outcome.resent:,} sent again, {found.rows_compared:,} rows"
    if found.exact:
        return f"exact  {what}: {sums}, {outcome.seconds:.0f} s"
    told = "\n".join(f"    {each}" for each in found.differences[:DIFFERENCES_TOLD])
    return (
        f"FAILED {what}: lost {found.lost}, counted twice {found.doubled},"
        f" {len(found.differences)} numbers differ of {sums}\n{told}"
    )


def entry(commit: str, outcome: Outcome) -> dict[str, Any]:
    """What the report says of one; ``commit`` is that of this tree."""
    pair, found = outcome.pair, outcome.verdict
    told = {
        "upgrade": pair.name,
        "brings": list(pair.brings),
        "from": pair.old,
        "to": pair.new or commit,
        "order": outcome.order.value,
        "exact": outcome.exact,
        "events": outcome.events,
        "sent_again": outcome.resent,
        "rows_compared": found.rows_compared if found else 0,
        "lost": found.lost if found else None,
        "counted_twice": found.doubled if found else None,
        "steps": list(outcome.steps),
        "seconds": round(outcome.seconds),
    }
    return {**told, "failure": outcome.failure} if outcome.failure else told


def merged(
    before: Mapping[str, Any], names: Sequence[str], fresh: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """A report with what is fresh, and of what was not made this time what it said before.

    ``names`` are those of all upgrades that there are, in their order.
    """
    found = {each["upgrade"]: each for each in [*before.get("upgrades", []), *fresh]}
    upgrades = [found[name] for name in names if name in found]
    return {
        "exact": bool(upgrades) and all(each["exact"] for each in upgrades),
        "not_made_yet": [name for name in names if name not in found],
        "upgrades": upgrades,
    }
