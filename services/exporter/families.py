"""PURE. Rows turned into metric families."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from schemas.canary import is_canary
from services.exporter.exposition import Family, LabelValues, family
from services.exporter.metric_definitions import DEFINITIONS, REJECTION_REASONS
from services.exporter.rows import (
    CANARY_COLUMNS,
    REGISTER_COLUMNS,
    Bill,
    CheckpointRow,
    DemandRow,
    LogEnds,
    ModelRow,
    PeakRow,
    PriceListRow,
    PriceRow,
    Reconciliation,
    RegisterRow,
    Series,
    Totals,
    WeekRow,
)

#: Columns of the checkpoints that are one counter each.
_PLAIN_COUNTS: Final = ("received", "accepted", "duplicate", "late")

#: The period of what has no price, in `charges`.
UNPRICED_PERIOD: Final = "unpriced"

#: The key of an event count: its metric's name and its label values.
CountKey = tuple[str, ...]
#: Gives the label set that a series is shown under: its own, or "other".
ShownAs = Callable[[Series], Series]


def register_families(shown: Mapping[Series, Totals]) -> list[Family]:
    """Make one counter family per column of the registers."""
    label_sets = list(shown)
    columns = zip(*shown.values(), strict=True) if shown else ()
    return [
        Family(DEFINITIONS[f"wattoken_{name}_total"], label_sets, column)
        for name, column in zip(REGISTER_COLUMNS, columns, strict=bool(shown))
    ]


def without_canaries(
    rows: Sequence[RegisterRow] | None,
) -> tuple[list[RegisterRow] | None, list[RegisterRow]]:
    """Part the registers of use from those of canaries, which nobody used."""
    if rows is None:
        return None, []
    canaries = [row for row in rows if is_canary(row.series.region)]
    return [row for row in rows if not is_canary(row.series.region)], canaries


def canary_families(rows: Iterable[RegisterRow]) -> list[Family]:
    """Make the registers of each canary, as they are now: what it holds against what it sent."""
    return [
        family(
            f"wattoken_canary_metered_{name}",
            (((row.series.region,), row.totals[REGISTER_COLUMNS.index(name)]) for row in found),
        )
        for found in [_summed(rows)]
        for name in CANARY_COLUMNS
    ]


def _summed(rows: Iterable[RegisterRow]) -> list[RegisterRow]:
    """Add up by region: a partition that admits no more series counts a model for another."""
    sums: dict[str, RegisterRow] = {}
    for row in rows:
        region = row.series.region
        before = sums.get(region)
        both = (row.totals,) if before is None else (before.totals, row.totals)
        sums[region] = RegisterRow(row.series, tuple(map(sum, zip(*both, strict=True))))
    return [sums[region] for region in sorted(sums)]


def event_counts(rows: Iterable[CheckpointRow]) -> dict[CountKey, tuple[int]]:
    """Sum the counts of all partitions of all logs, by metric and reason."""
    counts: dict[CountKey, int] = dict.fromkeys(
        [
            *((f"wattoken_events_{name}_total",) for name in _PLAIN_COUNTS),
            *(("wattoken_events_rejected_total", reason) for reason in REJECTION_REASONS),
        ],
        0,
    )
    for row in rows:
        for name in _PLAIN_COUNTS:
            counts[(f"wattoken_events_{name}_total",)] += getattr(row, name)
        for reason, count in row.rejected.items():
            key = ("wattoken_events_rejected_total", reason)
            counts[key] = counts.get(key, 0) + count
    return {key: (count,) for key, count in counts.items()}


def event_families(counts: Mapping[CountKey, tuple[int, ...]]) -> list[Family]:
    """Make the families of `event_counts`."""
    by_name: dict[str, list[tuple[LabelValues, float]]] = {}
    for (name, *labels), (count,) in counts.items():
        by_name.setdefault(name, []).append((tuple(labels), count))
    return [family(name, samples) for name, samples in by_name.items()]


def current_rows(
    rows: Sequence[CheckpointRow], topic: str, known: LogEnds | None
) -> list[CheckpointRow]:
    """Choose each partition's checkpoint that has seen an event: of the log of now if there is one.

    Else of the one before it; while Kafka has named none, of the topic's log that was read last.
    """
    if known is not None:
        return known.newest_rows(row for row in rows if row.newest_event_ms > 0)
    of_topic = [row for row in rows if row.topic == topic]
    if not of_topic:
        return []
    log = max(of_topic, key=lambda row: row.last_append_ms).log
    return [row for row in of_topic if row.log == log]


def watermark_family(rows: Iterable[CheckpointRow]) -> Family:
    """Make the watermark of each partition that has accepted an event; a checkpoint each."""
    return family(
        "wattoken_watermark_timestamp_seconds",
        (
            ((str(row.partition),), row.newest_event_ms / 1000)
            for row in sorted(rows, key=lambda row: row.partition)
            if row.newest_event_ms > 0
        ),
    )


def lag_family(rows: Iterable[CheckpointRow], ends: LogEnds) -> Family:
    """Make the lag of each partition, of the current log and those before it."""
    return family(
        "wattoken_consumer_lag_messages",
        (((str(partition),), lag) for partition, lag in sorted(ends.lag(rows).items())),
    )


def checkpoint_family(rows: Iterable[CheckpointRow], ends: LogEnds) -> Family:
    """Make how far each partition is metered; one that has no checkpoint has none."""
    return family(
        "wattoken_checkpoint_offset",
        (((str(partition),), at) for partition, at in sorted(ends.metered(rows).items())),
    )


def demand_families(
    rows: Iterable[DemandRow], named: Iterable[Series], shown_as: ShownAs
) -> list[Family]:
    """Make block and sliding demand: of every series shown by name, 0 where nothing flowed."""
    block: dict[Series, float] = dict.fromkeys(named, 0.0)
    sliding = dict(block)
    for row in rows:
        series = shown_as(row.series)
        block[series] = block.get(series, 0.0) + row.block_tokens_per_second
        sliding[series] = sliding.get(series, 0.0) + row.sliding_tokens_per_second
    label_sets = list(block)
    return [
        Family(DEFINITIONS[f"wattoken_{name}_demand_tokens_per_second"], label_sets, values)
        for name, values in (("block", list(block.values())), ("sliding", list(sliding.values())))
    ]


def peak_families(rows: Iterable[PeakRow]) -> list[Family]:
    """Make the peaks of the billing period by region."""
    found = list(rows)
    return [
        family("wattoken_billing_period_tokens", (((row.region,), row.tokens) for row in found)),
        family(
            "wattoken_billing_peak_demand_tokens_per_second",
            (((row.region,), row.peak_tokens_per_second) for row in found),
        ),
        family(
            "wattoken_billing_peak_timestamp_seconds",
            (((row.region,), row.peak_start_seconds) for row in found),
        ),
        family(
            "wattoken_coincident_demand_tokens_per_second",
            (((row.region,), row.coincident_tokens_per_second) for row in found),
        ),
    ]


def interval_family(ends: Mapping[str, int]) -> Family:
    """Make the end of each region's newest closed interval."""
    name = "wattoken_last_closed_interval_end_timestamp_seconds"
    return family(name, (((region,), end) for region, end in sorted(ends.items())))


def capacity_family(capacities: Mapping[str, int]) -> Family:
    """Make the capacities; a region without one has none, which is not 0."""
    return family(
        "wattoken_capacity_tokens_per_second",
        (((region,), tokens) for region, tokens in capacities.items()),
    )


def league_families(rows: Iterable[WeekRow]) -> list[Family]:
    """Make this week's league."""
    found = list(rows)
    return [
        family("wattoken_week_tokens", (((row.origin,), row.tokens) for row in found)),
        family("wattoken_week_share_ratio", (((row.origin,), row.share) for row in found)),
        family("wattoken_leading_weeks", (((row.origin,), row.leading_weeks) for row in found)),
    ]


def reconciliation_families(found: Reconciliation) -> list[Family]:
    """Make the differences; a stage that cannot be compared is left out."""
    stages = {
        "hours": found.registers_less_hours_tokens,
        "minutes": found.hours_less_minutes_tokens,
    }
    return [
        family(
            "wattoken_reconciliation_difference_tokens",
            (((stage,), tokens) for stage, tokens in stages.items() if tokens is not None),
        ),
        family("wattoken_reconciliation_difference_events", [((), found.accepted_less_events)]),
    ]


def price_family(rows: Iterable[PriceRow], named: Iterable[Series]) -> Family:
    """Make the prices of what is shown by name."""
    shown = {(series.provider, series.model) for series in named}
    return family(
        "wattoken_price_usd_per_token",
        ((row[:4], row.usd_per_token) for row in rows if (row.provider, row.model) in shown),
    )


def price_list_family(rows: Iterable[PriceListRow]) -> Family:
    """Make since when each source's version of the price lists is in use."""
    return family(
        "wattoken_price_list_first_seen_timestamp_seconds",
        (((row.package, row.version), row.first_seen_seconds) for row in rows),
    )


def bill_family(rows: Iterable[Bill], shown_as: ShownAs) -> Family:
    """Make the charges of the billing period; series without a name of their own are summed.

    The sum is Decimal and becomes a float only here, where Prometheus asks for one.
    """
    charges: dict[LabelValues, Bill] = {}
    for row in rows:
        series = shown_as(row.series)
        key = (*series, row.tou_period)
        before = charges.get(key)
        usd = row.usd if before is None else before.usd + row.usd
        charges[key] = Bill(series, row.tou_period, usd)
    return family(
        "wattoken_billing_period_charges_usd",
        (
            (key, float(bill.usd))
            for key, bill in charges.items()
            if bill.tou_period != UNPRICED_PERIOD
        ),
    )


def unpriced_family(rows: Iterable[Bill], shown_as: ShownAs) -> Family:
    """Make the tokens without a price, by model; models without a name of their own are summed."""
    tokens: dict[LabelValues, int] = {}
    for row in rows:
        if row.unpriced_tokens:
            series = shown_as(row.series)
            key = (series.provider, series.model)
            tokens[key] = tokens.get(key, 0) + row.unpriced_tokens
    return family("wattoken_billing_period_unpriced_tokens", tokens.items())


def model_family(rows: Iterable[ModelRow], named: Iterable[Series]) -> Family:
    """Make the info of the models shown by name; one each, or a join on it would fail."""
    models = {series.model for series in named}
    first: dict[str, LabelValues] = {}
    for row in sorted(rows):
        if row.model in models:
            first.setdefault(row.model, tuple(row))
    return family("wattoken_model", ((labels, 1) for labels in first.values()))


def billing_period_start(now_seconds: float) -> int:
    """Give the start of the calendar month, UTC, as Unix time."""
    now = datetime.fromtimestamp(now_seconds, UTC)
    return int(datetime(now.year, now.month, 1, tzinfo=UTC).timestamp())
