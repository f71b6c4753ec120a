"""The aggregator's own metrics: how the worker is doing. What it metered is the exporter's."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from services.platform.tracing import OUTCOMES

REGISTRY: Final = CollectorRegistry()

BUILD: Final = Info("wattoken_aggregator_build", "Version of the worker.", registry=REGISTRY)
BUILD.info({"version": version("wattoken")})
RECORDS: Final = Counter(
    "wattoken_aggregator_records", "Records read from the log.", registry=REGISTRY
)
BATCHES: Final = Counter(
    "wattoken_aggregator_batches", "Partition batches processed.", registry=REGISTRY
)
GAPS: Final = Counter(
    "wattoken_aggregator_offset_gaps",
    "Batches that did not begin at the next offset: a transaction's markers lie between.",
    registry=REGISTRY,
)
EVENTS_AS_OTHER: Final = Counter(
    "wattoken_aggregator_events_as_other",
    "Events counted for the series other: their partition had admitted as many as its rules allow.",
    registry=REGISTRY,
)
LOOK_UPS: Final = Counter(
    "wattoken_aggregator_slice_look_ups",
    "Slices of old windows looked up in ClickHouse.",
    registry=REGISTRY,
)
FLUSH_SECONDS: Final = Histogram(
    "wattoken_aggregator_flush_seconds",
    "Time from snapshot to acknowledged checkpoint.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    registry=REGISTRY,
)
FLUSHED_ROWS: Final = Counter(
    "wattoken_aggregator_flushed_rows", "Rows written, all tables.", registry=REGISTRY
)
PENDING_ROWS: Final = Gauge(
    "wattoken_aggregator_pending_rows", "Rows changed and not yet written.", registry=REGISTRY
)
SLICES: Final = Gauge("wattoken_aggregator_slices", "Slices in memory.", registry=REGISTRY)
SEEN_IDS: Final = Gauge(
    "wattoken_aggregator_seen_ids", "Ids remembered for dedup.", registry=REGISTRY
)
ID_STORE_FAULTS: Final = Counter(
    "wattoken_aggregator_id_store_faults",
    "Faults of the disk that keeps ids, and of their copies, by what was tried: open, read, write,"
    " tidy; copy, fetch.",
    ["what"],
    registry=REGISTRY,
)
for _what in ("open", "read", "write", "tidy", "copy", "fetch"):
    # There from the start: an alert sees a counter rise, but not begin at 1.
    ID_STORE_FAULTS.labels(_what)
ID_STORES_REFUSING: Final = Gauge(
    "wattoken_aggregator_id_stores_refusing",
    "Partitions whose ids the disk did not take when last tried: they stay in memory.",
    registry=REGISTRY,
)
ID_COPY_BYTES: Final = Counter(
    "wattoken_aggregator_id_copy_bytes",
    "Bytes of runs of ids that were copied to ClickHouse, and fetched from there.",
    ["way"],
    registry=REGISTRY,
)
for _way in ("copied", "fetched"):
    ID_COPY_BYTES.labels(_way)
ID_COPIES_BEHIND: Final = Gauge(
    "wattoken_aggregator_id_copies_behind",
    "Partitions of which runs of ids were due to be copied when last looked, and are not.",
    registry=REGISTRY,
)
PARTITIONS: Final = Gauge(
    "wattoken_aggregator_partitions", "Partitions this worker meters.", registry=REGISTRY
)
RECOVERIES: Final = Counter(
    "wattoken_aggregator_recoveries", "Partitions recovered.", registry=REGISTRY
)
RETRIES: Final = Counter(
    "wattoken_aggregator_retries",
    "Attempts that failed and were repeated, by what was tried.",
    ["what"],
    registry=REGISTRY,
)
SPANS: Final = Counter(
    "wattoken_aggregator_spans",
    "Spans of traces, by whether the collector took them, or did not, or the queue was full.",
    ["outcome"],
    registry=REGISTRY,
)
for _outcome in OUTCOMES:
    SPANS.labels(_outcome)
