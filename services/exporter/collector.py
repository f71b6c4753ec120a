"""PURE. What each metric means (one table), and rows turned into metric families."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)

from services.exporter.rows import REGISTER_COLUMNS, CheckpointRow, LogEnds, Series, Totals

#: Reasons of rejection; each is shown from 0 on, so that the first one is seen as an increase.
REJECTION_REASONS: Final = ("invalid_event", "invalid_json", "too_new", "too_old")

#: The collectors: each fails alone, and takes only the families away that name it.
Collector = Literal["registers", "checkpoints", "log", "exporter"]


@dataclass(frozen=True, slots=True)
class MetricMeaning:
    """One metric of ours: its name as it is shown, type, labels, and what it says."""

    name: str
    type: Literal["counter", "gauge", "info"]
    labels: tuple[str, ...]
    #: Families of one collector are absent while it fails; those of "exporter" are always there.
    collectors: tuple[Collector, ...]
    help: str


def _register(column: str, text: str) -> MetricMeaning:
    return MetricMeaning(
        f"wattoken_{column}_total", "counter", ("region", "provider", "model"), ("registers",), text
    )


def _events(name: str, text: str, *labels: str) -> MetricMeaning:
    return MetricMeaning(f"wattoken_events_{name}_total", "counter", labels, ("checkpoints",), text)


#: What does this metric mean? The answer, in the order of exposition.
METRICS: Final = (
    _register("requests", "Metered requests, failed ones included."),
    _register("failed_requests", "Metered requests that ended in an error."),
    _register("input_tokens", "Input tokens, those read from or written to a cache included."),
    _register("cache_read_input_tokens", "Input tokens read from a cache; part of input tokens."),
    _register("cache_write_input_tokens", "Input tokens written to a cache; part of input tokens."),
    _register("output_tokens", "Output tokens, reasoning included."),
    _register("reasoning_output_tokens", "Output tokens of reasoning; part of output tokens."),
    _register("estimated_tokens", "Input and output tokens that were estimated, not measured."),
    _register("debit_tokens", "Tokens added later by debit entries; in no other counter."),
    _register("credit_tokens", "Tokens taken back later by credit entries; in no other counter."),
    _events("received", "Records read from the log: accepted, duplicate and rejected ones."),
    _events("accepted", "Events that were metered."),
    _events("duplicate", "Resent events that were not metered again."),
    _events("late", "Accepted events that came long after their time (metering rule late_after)."),
    _events("rejected", "Records that went to the dead letters, by reason.", "reason"),
    MetricMeaning(
        "wattoken_consumer_lag_messages",
        "gauge",
        ("partition",),
        ("checkpoints", "log"),
        "Records on the log that no checkpoint covers yet.",
    ),
    MetricMeaning(
        "wattoken_watermark_timestamp_seconds",
        "gauge",
        ("partition",),
        ("checkpoints",),
        "Newest event time accepted; absent for a partition that accepted none.",
    ),
    MetricMeaning(
        "wattoken_omitted_series",
        "gauge",
        (),
        ("registers",),
        'Label sets not shown by name but summed into the one labelled "other".',
    ),
    MetricMeaning(
        "wattoken_held_series",
        "gauge",
        (),
        ("exporter",),
        "Label sets and event counts held at an earlier value because ClickHouse now says less,"
        " as after the restore of a backup.",
    ),
    MetricMeaning(
        "wattoken_build",
        "info",
        ("version", "revision"),
        ("exporter",),
        "Version and commit of the exporter.",
    ),
    MetricMeaning(
        "wattoken_up",
        "gauge",
        (),
        ("exporter",),
        "1 if ClickHouse answered everything in time, else 0 and its families are absent.",
    ),
    MetricMeaning(
        "wattoken_scrape_collector_success",
        "gauge",
        ("collector",),
        ("exporter",),
        "1 if the collector got its answer in time, else 0.",
    ),
    MetricMeaning(
        "wattoken_scrape_collector_duration_seconds",
        "gauge",
        ("collector",),
        ("exporter",),
        "How long the collector took in this scrape.",
    ),
)
_MEANING: Final = {meaning.name: meaning for meaning in METRICS}


def exposed_name(meaning: MetricMeaning) -> str:
    """Return the name that the samples bear: an info's has the suffix ``_info``."""
    return f"{meaning.name}_info" if meaning.type == "info" else meaning.name


def family(name: str, samples: Iterable[tuple[Sequence[str], float]]) -> Metric:
    """Make the family of `METRICS` called ``name`` from label values and values."""
    meaning = _MEANING[name]
    if meaning.type == "info":
        info = InfoMetricFamily(name, meaning.help)
        for labels, _ in samples:
            info.add_metric([], dict(zip(meaning.labels, labels, strict=True)))
        return info
    kind = CounterMetricFamily if meaning.type == "counter" else GaugeMetricFamily
    made = kind(name, meaning.help, labels=meaning.labels)
    for labels, value in samples:
        made.add_metric(labels, value)
    return made


def register_families(shown: Mapping[Series, Totals]) -> list[Metric]:
    """Make one counter family per column of the registers."""
    return [
        family(
            f"wattoken_{column}_total",
            ((series, totals[index]) for series, totals in shown.items()),
        )
        for index, column in enumerate(REGISTER_COLUMNS)
    ]


#: Columns of the checkpoints that are one counter each.
_PLAIN_COUNTS: Final = ("received", "accepted", "duplicate", "late")

#: The key of an event count: its metric's name and its label values.
CountKey = tuple[str, ...]


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


def event_families(counts: Mapping[CountKey, tuple[int, ...]]) -> list[Metric]:
    """Make the families of `event_counts`."""
    by_name: dict[str, list[tuple[CountKey, float]]] = {}
    for (name, *labels), (count,) in counts.items():
        by_name.setdefault(name, []).append((tuple(labels), count))
    return [family(name, samples) for name, samples in by_name.items()]


def current_log(rows: Iterable[CheckpointRow], topic: str, known: str | None) -> str | None:
    """Tell which log the topic is: as Kafka said last, else the one that was read last."""
    if known is not None:
        return known
    of_topic = [row for row in rows if row.topic == topic]
    return max(of_topic, key=lambda row: row.last_append_ms).log if of_topic else None


def watermark_family(rows: Iterable[CheckpointRow], log: str | None) -> Metric:
    """Make the watermark of each partition of one log that has accepted an event."""
    return family(
        "wattoken_watermark_timestamp_seconds",
        (
            ((str(row.partition),), row.newest_event_ms / 1000)
            for row in sorted(rows, key=lambda row: row.partition)
            if row.log == log and row.newest_event_ms > 0
        ),
    )


def lag_family(rows: Iterable[CheckpointRow], ends: LogEnds) -> Metric:
    """Make the lag of each partition of the current log.

    A partition without a checkpoint has all its records before it. A checkpoint beyond the
    log's end (the aggregator stops at it) shows as no lag, never as a negative one.
    """
    next_offsets = {row.partition: row.next_offset for row in rows if row.log == ends.log_name}
    return family(
        "wattoken_consumer_lag_messages",
        (
            (
                (str(partition),),
                max(0, end - next_offsets.get(partition, ends.start_offsets[partition])),
            )
            for partition, end in sorted(ends.end_offsets.items())
        ),
    )
