"""PURE: what became of scenarios: the report in docs/clusters.json, and a line for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.upgrades.sums import Verdict

DIFFERENCES_TOLD: Final = 10


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a scenario came to: a verdict for each server asked; none where it did not end well."""

    scenario: str
    #: The fault that was planted, and must be seen.
    planted: str | None
    events: int
    resent: int
    seconds: float
    steps: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    failure: str = ""

    @property
    def exact(self) -> bool:
        """Whether it came to its end with every total as it must be, on every server."""
        return bool(self.verdicts) and all(each.exact for each in self.verdicts)

    @property
    def holds(self) -> bool:
        """Whether it is as it must be: exact, or a planted fault seen by every server."""
        if self.planted is None:
            return self.exact
        return bool(self.verdicts) and all(each.lost or each.doubled for each in self.verdicts)

    @property
    def name(self) -> str:
        """As ``brokers``, or ``brokers+lost``."""
        return self.scenario if self.planted is None else f"{self.scenario}+{self.planted}"


def line(outcome: Outcome) -> str:
    """What people read of one."""
    sums = f"{outcome.events:,} events, {outcome.resent:,} sent again, {outcome.seconds:.0f} s"
    if not outcome.verdicts:
        return f"FAILED {outcome.name}: {outcome.failure}"
    lost = max(each.lost for each in outcome.verdicts)
    doubled = max(each.doubled for each in outcome.verdicts)
    if outcome.holds:
        what = "exact " if outcome.planted is None else f"seen  (lost {lost}, twice {doubled})"
        rows = sum(each.rows_compared for each in outcome.verdicts)
        return f"{what} {outcome.name}: {sums}, {rows:,} rows"
    told = "\n".join(
        f"    {each}"
        for verdict in outcome.verdicts
        for each in verdict.differences[:DIFFERENCES_TOLD]
    )
    return f"FAILED {outcome.name}: lost {lost}, counted twice {doubled}; {sums}\n{told}"


def entry(outcome: Outcome) -> dict[str, Any]:
    """What the report says of one."""
    told: dict[str, Any] = {
        "scenario": outcome.scenario,
        **({} if outcome.planted is None else {"planted": outcome.planted}),
        "holds": outcome.holds,
        "exact": outcome.exact,
        "events": outcome.events,
        "sent_again": outcome.resent,
        "rows_compared": sum(each.rows_compared for each in outcome.verdicts),
        "lost": max((each.lost for each in outcome.verdicts), default=None),
        "counted_twice": max((each.doubled for each in outcome.verdicts), default=None),
        "steps": list(outcome.steps),
        "seconds": round(outcome.seconds),
    }
    return {**told, "failure": outcome.failure} if outcome.failure else told


def merged(
    before: Mapping[str, Any], names: Sequence[str], fresh: Sequence[Outcome]
) -> dict[str, Any]:
    """A report with what is fresh, and of what was not played this time what it said before.

    ``names`` are those of all scenarios and planted faults that there are, in their order.
    """
    found = {_name(each): each for each in before.get("scenarios", [])}
    found |= {each.name: entry(each) for each in fresh}
    told = [found[name] for name in names if name in found]
    return {
        "holds": len(told) == len(names) and all(each["holds"] for each in told),
        "not_played_yet": [name for name in names if name not in found],
        "scenarios": told,
    }


def _name(told: Mapping[str, Any]) -> str:
    planted = told.get("planted")
    scenario: str = told["scenario"]
    return scenario if planted is None else f"{scenario}+{planted}"
