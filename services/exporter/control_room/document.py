"""PURE. The shape of `/control-room/v1.json`, which the page is drawn from.

Times are Unix seconds, demand is tokens per second. Counts are decimal strings: JavaScript's
numbers are exact only up to 2^53, and registers pass that. Fields may be added to version 1; none
changes its meaning or goes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal

VERSION: Final = 1

State = Literal["live", "stale", "unavailable", "empty"]
Cause = Literal["", "no_usage", "behind", "unread", "empty"]


@dataclass(frozen=True, slots=True)
class Status:
    """Whether the figures can be trusted to be of now, and since when they cannot."""

    state: State
    #: What is wrong, for people; empty while live.
    reason: str = ""
    since: float | None = None
    #: The reason for programs, and with "behind" how many records the meter has not read yet.
    cause: Cause = ""
    behind: str | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """One group of figures: the newest that could be read, and why there is no newer one."""

    data: Any
    read_at: float | None
    error: str | None = None
    error_since: float | None = None


@dataclass(frozen=True, slots=True)
class Links:
    """Where more is to be seen; empty is nowhere."""

    grafana: str = ""
    runbook: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """The whole answer; `sections` are named as in `services.exporter.control_room.room`."""

    generated_at: float
    status: Status
    sections: dict[str, Section]
    version: int = VERSION
    links: Links = field(default_factory=lambda: Links())


@dataclass(frozen=True, slots=True)
class RegionCurve:
    """Demand of one region, one value for each of the curve's times; None is "not known yet"."""

    region: str
    tokens_per_second: list[float | None]
    #: How many regions it is the sum of; 1 is the region of that name itself.
    sum_of: int = 1


@dataclass(frozen=True, slots=True)
class Load:
    """The load curve by minute: closed minutes only."""

    minutes: list[int]
    tokens_per_second: list[float | None]
    requests_per_second: list[float | None]
    #: Most tokens first; those beyond the eighth are summed into one named "other regions".
    regions: list[RegionCurve]
    #: End of the newest minute that has usage, and of each region's.
    last_interval_end: int | None
    region_interval_end: dict[str, int]
    #: Of every region with usage in these minutes, in the newest that has usage: what the curves,
    #: of which only some have a name, do not say of each.
    region_tokens_per_second: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Day:
    """Since midnight UTC by closed minutes: what agrees with the load of the last of them."""

    day: int
    #: End of the newest closed minute.
    until: int
    tokens: str
    #: The highest minute, and of equal ones the first; None without usage.
    peak_tokens_per_second: float | None
    peak_minute: int | None


@dataclass(frozen=True, slots=True)
class RegionToday:
    """One region since midnight UTC."""

    region: str
    tokens: str
    peak_tokens_per_second: float
    peak_block: int


@dataclass(frozen=True, slots=True)
class Today:
    """Block demand since midnight UTC: closed 15-minute blocks only."""

    day: int
    blocks: list[int]
    tokens_per_second: list[float]
    #: The 96 blocks of the day before; None is a block without usage.
    yesterday: list[float | None]
    tokens: str
    peak_tokens_per_second: float | None
    peak_block: int | None
    average_tokens_per_second: float | None
    load_factor: float | None
    regions: list[RegionToday]
    #: Regions with usage in a closed block of today or of the day before.
    seen_regions: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PeriodRegion:
    """One region's billing period, as the view `load_factor` says; the running block counts."""

    region: str
    peak_tokens_per_second: float
    load_factor: float | None
    capacity_tokens_per_second: str | None
    reserve_margin: float | None
    #: All its tokens are in one block, which may still be running: peak, load factor and margin are
    #: those of that block alone.
    one_block: bool = False


@dataclass(frozen=True, slots=True)
class Capacities:
    """What the catalogue says that regions can deliver, in tokens per second."""

    regions: dict[str, str]


@dataclass(frozen=True, slots=True)
class Period:
    """The running billing period."""

    period_start: int | None
    coincidence_factor: float | None
    regions: list[PeriodRegion]


@dataclass(frozen=True, slots=True)
class Share:
    """Tokens of one author or country, and their part of all."""

    name: str
    origin: str
    tokens: str
    share: float


@dataclass(frozen=True, slots=True)
class Mix:
    """Generation mix of one ISO week."""

    week_start: int | None
    tokens: str
    origins: list[Share]
    authors: list[Share]


@dataclass(frozen=True, slots=True)
class Place:
    """One country's place in the league, with its share in the week before if it had usage."""

    rank: int
    origin: str
    tokens: str
    share: float
    leading_weeks: int
    share_week_before: float | None
    #: Tokens of the week's closed hours ÷ those of the same hours of the week before, − 1.
    growth: float | None = None


@dataclass(frozen=True, slots=True)
class League:
    """The league of one ISO week."""

    week_start: int | None
    places: list[Place]


@dataclass(frozen=True, slots=True)
class Model:
    """One model since midnight UTC, and its part of all models' tokens."""

    model: str
    author: str
    origin: str
    requests: str
    tokens: str
    share: float


@dataclass(frozen=True, slots=True)
class Meter:
    """One register: lifetime totals, never reset."""

    requests: str
    input_tokens: str
    output_tokens: str
    tokens: str


@dataclass(frozen=True, slots=True)
class Meters:
    """The registers of the system and of each region."""

    system: Meter
    regions: dict[str, Meter]


@dataclass(frozen=True, slots=True)
class Health:
    """The pipeline: counts since the log was first metered, and how far the meter is behind."""

    received: str
    accepted: str
    duplicate: str
    late: str
    rejected: str
    rejected_by_reason: dict[str, str] = field(default_factory=dict)
    #: Newest event time that was metered, and append time of the newest record that was read.
    newest_event: float | None = None
    last_append: float | None = None
    #: Records on the log that are not metered yet; None while Kafka does not say.
    lag: str | None = None
