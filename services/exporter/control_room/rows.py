"""PURE. The rows the control room works on, as ClickHouse's views tell them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class RegionMinute(NamedTuple):
    """What one region delivered in one minute; times are Unix seconds."""

    minute: int
    region: str
    requests: int
    tokens: int


class MinuteTokens(NamedTuple):
    """What the whole system delivered in one minute."""

    minute: int
    tokens: int


class RegionBlock(NamedTuple):
    """Demand of one region in one 15-minute block."""

    block: int
    region: str
    tokens: int
    tokens_per_second: float


class RegionPeriod(NamedTuple):
    """How the billing period drives one region; a ratio is None where nothing defines it."""

    period: int
    region: str
    peak_tokens_per_second: float
    load_factor: float | None
    coincidence_factor: float | None
    capacity_tokens_per_second: int | None
    reserve_margin: float | None
    one_block: bool = False


class RegionCapacity(NamedTuple):
    """What one region can deliver."""

    region: str
    tokens_per_second: int


class MixShare(NamedTuple):
    """Tokens of one author in one ISO week, over all regions."""

    week: int
    origin: str
    author: str
    tokens: int


class LeagueRow(NamedTuple):
    """One country's place in one ISO week."""

    week: int
    origin: str
    tokens: int
    share: float
    rank: int
    leading_weeks: int
    #: Against the same hours of the week before; None where there is nothing to compare with.
    growth: float | None = None


class ModelDay(NamedTuple):
    """One model's usage since midnight, over all regions and providers."""

    model: str
    author: str
    origin: str
    requests: int
    tokens: int
    #: Of all models together, those included that are no row.
    all_tokens: int


class Registers(NamedTuple):
    """Lifetime totals of one region."""

    region: str
    requests: int
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Window:
    """What the queries ask for: times in Unix seconds, all starts of a minute or a day."""

    now: int
    load_from: int
    day_from: int
