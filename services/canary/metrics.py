"""The canary's own metrics: what it sent, and what it found of it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.canary.clients import FAILURES

_FRESHNESS_BUCKETS_SECONDS = (0.25, 0.5, 1, 1.5, 2, 3, 5, 7.5, 10, 15, 30, 60, 120, 300, 900, 3600)


class CanaryMetrics:
    """Counters and gauges of one canary, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.sent = Counter(
            "wattoken_canary_sent_events",
            "Events sent for the first time; one that is sent again is none.",
            registry=self.registry,
        )
        self.acknowledged = Counter(
            "wattoken_canary_acknowledged_events",
            "Events that ingest acknowledged.",
            registry=self.registry,
        )
        self.visible = Counter(
            "wattoken_canary_visible_events",
            "Acknowledged events that the exporter showed in the registers.",
            registry=self.registry,
        )
        self.missing = Gauge(
            "wattoken_canary_missing_events",
            "Events that are not in the registers long after they were acknowledged"
            " (WATTOKEN_CANARY_MISSING_SECONDS).",
            registry=self.registry,
        )
        self.doubled = Gauge(
            "wattoken_canary_doubled_events",
            "Events that the registers hold beyond all that was ever sent.",
            registry=self.registry,
        )
        self.difference = Gauge(
            "wattoken_canary_difference_tokens",
            "Tokens in the registers less those of as many events, by kind; 0 where they may be the"
            " sum of events that were sent, each once.",
            ["kind"],
            registry=self.registry,
        )
        for kind in ("input", "output"):
            self.difference.labels(kind)
        self.unseen_seconds = Gauge(
            "wattoken_canary_oldest_unseen_seconds",
            "How long ago the oldest event was acknowledged that was not seen in the registers yet;"
            " 0 where all were.",
            registry=self.registry,
        )
        self.unacknowledged_seconds = Gauge(
            "wattoken_canary_oldest_unacknowledged_seconds",
            "How long ago the oldest event was sent first that is not acknowledged yet; 0 where all"
            " are.",
            registry=self.registry,
        )
        self.freshness = Histogram(
            "wattoken_canary_freshness_seconds",
            "Time from an event's acknowledgement until the exporter shows it, asked every second.",
            buckets=_FRESHNESS_BUCKETS_SECONDS,
            registry=self.registry,
        )
        self.failed = Counter(
            "wattoken_canary_failed_attempts",
            "Attempts to send or to read that failed, by whom and how.",
            ["what"],
            registry=self.registry,
        )
        for what in FAILURES:
            self.failed.labels(what)
