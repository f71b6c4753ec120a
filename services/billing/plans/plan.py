"""PURE. A plan: under which other labels the same registers are billed once more.

All that a plan does is said here, for one event as for an hour of a register: so billing what it
makes of the registers is billing what it makes of each event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Final, Literal, NamedTuple

from services.billing.periods import Period

#: What a plan changes; ``yours`` is what somebody asked for, whatever that is.
Kind = Literal["actual", "tariff", "provider", "region", "tier", "hour", "yours"]


class Labels(NamedTuple):
    """What usage is metered under, besides tenant, hour, entry and price class."""

    region: str
    provider: str
    model: str


@dataclass(frozen=True, slots=True)
class Used:
    """What was metered of a month under some labels; ``tokens`` are those of plain usage."""

    labels: Labels
    tokens: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Other labels for what was metered; what no mapping names stays as it was.

    ``labels`` and ``tiers`` are by the labels that were metered, ``tariffs`` by those of the plan:
    such usage is billed by this tariff alone, whichever would win. ``other_models`` says that a
    model became another one, and not the same at another provider.
    """

    kind: Kind
    name: str
    labels: Mapping[Labels, Labels] = field(default_factory=dict)
    tiers: Mapping[Labels, str] = field(default_factory=dict)
    shift_hours: int = 0
    tariffs: Mapping[Labels, str] = field(default_factory=dict)
    other_models: bool = False

    def relabelled(self, labels: Labels) -> Labels:
        """What is metered under ``labels``, under the plan."""
        return self.labels.get(labels, labels)

    def tier(self, labels: Labels, reported: str) -> str:
        """The service tier of what is metered under ``labels``."""
        return self.tiers.get(labels, reported)

    def moment(self, moment: datetime, period: Period) -> datetime:
        """When what was used at a moment of the month is used.

        The month is a ring: what is moved beyond its end comes to its begin, so that the plan is of
        the same month, with its demand and its prices.
        """
        start = datetime.combine(period.start, time(), UTC)
        return start + (moment - start + timedelta(hours=self.shift_hours)) % length(period)

    def moves(self, labels: Labels) -> bool:
        """Whether anything of what is metered under ``labels`` is different."""
        to = self.relabelled(labels)
        return to != labels or labels in self.tiers or bool(self.shift_hours) or to in self.tariffs


def length(period: Period) -> timedelta:
    """How long a month is."""
    return period.end - period.start


ACTUAL: Final = Plan("actual", "as it was")
