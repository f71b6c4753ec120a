"""PURE. The rows the exporter works on, as ClickHouse and Kafka tell them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

#: Columns of the view `registers` that become counters, in the order of `RegisterRow.totals`.
REGISTER_COLUMNS: Final = (
    "requests",
    "failed_requests",
    "input_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
    "estimated_tokens",
    "debit_tokens",
    "credit_tokens",
)
#: Of these, what a canary is held to.
CANARY_COLUMNS: Final = ("requests", "input_tokens", "output_tokens")
_INPUT: Final = REGISTER_COLUMNS.index("input_tokens")
_OUTPUT: Final = REGISTER_COLUMNS.index("output_tokens")
_TOKENS: Final = [
    place for place, column in enumerate(REGISTER_COLUMNS) if column.endswith("_tokens")
]


class Series(NamedTuple):
    """The label set of a register."""

    region: str
    provider: str
    model: str


Totals = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RegisterRow:
    """Lifetime totals of one label set, in the order of `REGISTER_COLUMNS`."""

    series: Series
    totals: Totals

    @property
    def tokens(self) -> int:
        """Input and output tokens: what label sets are ranked by."""
        return self.totals[_INPUT] + self.totals[_OUTPUT]

    @property
    def used(self) -> bool:
        """Whether it has any tokens, adjustments included: more than requests alone."""
        return any(self.totals[place] for place in _TOKENS)


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """The newest checkpoint of one log partition; counts since the partition was first metered."""

    log: str
    partition: int
    topic: str
    next_offset: int
    received: int
    accepted: int
    duplicate: int
    late: int
    rejected: dict[str, int]
    #: Unix time; 0 or less when the partition has accepted no event yet.
    newest_event_ms: int
    last_append_ms: int


@dataclass(frozen=True, slots=True)
class EndedLog:
    """A log that another followed: from where to where each partition is metered."""

    log_name: str
    stretches: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class LogEnds:
    """The log the topic is now, with the offsets of each partition."""

    log_name: str
    #: The oldest record still there.
    start_offsets: dict[int, int]
    #: One past the newest record.
    end_offsets: dict[int, int]
    #: The logs that ended before it, oldest first (`wattoken succeed`).
    predecessors: tuple[EndedLog, ...] = ()

    def lag(self, rows: Iterable[CheckpointRow]) -> dict[int, int]:
        """Count the records that no checkpoint covers yet, by partition, of all these logs.

        A partition without a checkpoint has all its records before it. A checkpoint beyond the
        log's end (the aggregator stops at it) makes no lag, never a negative one.
        """
        covered = {(row.log, row.partition): row.next_offset for row in rows}
        lag = {
            partition: max(
                0, end - covered.get((self.log_name, partition), self.start_offsets[partition])
            )
            for partition, end in sorted(self.end_offsets.items())
        }
        for ended in self.predecessors:
            for partition, (start, end) in enumerate(ended.stretches):
                left = max(0, end - covered.get((ended.log_name, partition), start))
                # Of one that is not metered to its end, all shows, whatever has taken over.
                if left or partition in lag:
                    lag[partition] = lag.get(partition, 0) + left
        return lag

    def metered(self, rows: Iterable[CheckpointRow]) -> dict[int, int]:
        """Up to which offset each partition's checkpoint is, the logs before this one added.

        It rises with each checkpoint that takes anything, whichever of the logs it is of.
        """
        names = {self.log_name, *(ended.log_name for ended in self.predecessors)}
        offsets: dict[int, int] = {}
        for row in rows:
            if row.log in names:
                offsets[row.partition] = offsets.get(row.partition, 0) + row.next_offset
        return offsets

    def newest_rows(self, rows: Iterable[CheckpointRow]) -> list[CheckpointRow]:
        """The checkpoint of each partition: of the log of now, or of the last that had one."""
        names = [*(ended.log_name for ended in self.predecessors), self.log_name]
        order = {name: number for number, name in enumerate(names)}
        newest: dict[int, CheckpointRow] = {}
        for row in rows:
            at = order.get(row.log, -1)
            known = newest.get(row.partition)
            if row.partition in self.end_offsets and at > (order[known.log] if known else -1):
                newest[row.partition] = row
        return [row for _, row in sorted(newest.items())]


class DemandRow(NamedTuple):
    """Demand of one label set, in tokens/s."""

    series: Series
    #: Over the last complete 15-minute block.
    block_tokens_per_second: float
    #: Over the last 15 complete minutes.
    sliding_tokens_per_second: float


class PeakRow(NamedTuple):
    """The billing period of one region: its tokens, peak demands in tokens/s, start of a block."""

    region: str
    tokens: int
    peak_tokens_per_second: float
    peak_start_seconds: int
    coincident_tokens_per_second: float


class Bill(NamedTuple):
    """Energy charges of one label set and time-of-use period in this billing period."""

    series: Series
    tou_period: str
    usd: Decimal
    #: Tokens of plain usage that no tariff prices; they are not in ``usd``.
    unpriced_tokens: int = 0


class WeekRow(NamedTuple):
    """One origin in this week's league."""

    origin: str
    tokens: int
    share: float
    leading_weeks: int


class ModelRow(NamedTuple):
    """Who made a model; "unknown" where the catalogue does not say."""

    model: str
    author: str
    origin: str
    license: str


class PriceRow(NamedTuple):
    """A price in force now, of one token class in one time-of-use period."""

    provider: str
    model: str
    token_class: str
    tou_period: str
    usd_per_token: float


class PriceListRow(NamedTuple):
    """A package that price lists are from, and since when its version is in use."""

    package: str
    version: str
    first_seen_seconds: int


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What the catalogue says now."""

    capacities: dict[str, int]
    prices: list[PriceRow]
    models: list[ModelRow]
    price_lists: list[PriceListRow]


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Differences between what must be equal; None where the two cannot be compared."""

    registers_less_hours_tokens: int | None
    hours_less_minutes_tokens: int
    accepted_less_events: int
