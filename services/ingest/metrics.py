"""The service's own metrics; usage itself is metered by the aggregator, never here."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from services.ingest.adapters.usage_fields.unread import OTHER, Unread
from services.ingest.double_reports import KINDS, Differences
from services.ingest.errors import EVENT_CODES, MalformedError, TooLargeError, UnsupportedError
from services.platform.tracing import OUTCOMES

#: Paths that may be a label value; anything else a client asks for counts as "other".
PATHS = frozenset(
    {
        *("/v1/events", "/api/v1/events", "/v1/litellm", "/v1/traces", "/v1/logs"),
        *("/v1/envoy", "/v1/portkey"),
        *("/v1/whoami", "/docs", "/openapi.json"),
        *("/healthz", "/readyz", "/metrics"),
    }
)
#: Why a whole request is refused for what it holds, and why a rejection is not kept.
REQUEST_CODES = (MalformedError.code, TooLargeError.code, UnsupportedError.code)
UNKEPT_REASONS = ("key_limit", "limit", "request_limit", "not_acknowledged")
#: Numbers that no register knows; `wattoken gateways unread` reads it.
UNREAD_FIELDS = "wattoken_ingest_unread_usage_fields"
#: Formats and paths that are shown by name; paths come from clients.
UNREAD_NAMES_MAX = 200
_DELIVERY_BUCKETS_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)


class IngestMetrics:
    """Counters and gauges of one ingest process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "wattoken_ingest_requests",
            "HTTP requests answered.",
            ["path", "status"],
            registry=self.registry,
        )
        #: Looking a label set up costs more than counting.
        self._by_answer: dict[tuple[str, int], Counter] = {}
        self.accepted = Counter(
            "wattoken_ingest_events_accepted",
            "Events that Kafka acknowledged and that were answered with 2xx.",
            registry=self.registry,
        )
        self.rejected = Counter(
            "wattoken_ingest_events_rejected",
            "Events refused one by one, by reason.",
            ["code"],
            registry=self.registry,
        )
        for code in EVENT_CODES:
            self.rejected.labels(code)
        self.requests_rejected = Counter(
            "wattoken_ingest_requests_rejected",
            "Requests refused as a whole for what they hold, by reason.",
            ["code"],
            registry=self.registry,
        )
        for code in REQUEST_CODES:
            self.requests_rejected.labels(code)
        self.rejections_kept = Counter(
            "wattoken_ingest_rejections_kept",
            "Rejections, of events and of whole requests, kept on their topic.",
            registry=self.registry,
        )
        self.rejections_unkept = Counter(
            "wattoken_ingest_rejections_unkept",
            "Rejections that were counted and not kept, by why.",
            ["why"],
            registry=self.registry,
        )
        for why in UNKEPT_REASONS:
            self.rejections_unkept.labels(why)
        self.differing_reports = Counter(
            "wattoken_ingest_differing_reports",
            "Calls reported again with other counts, by the formats and by which knew more.",
            ["first", "second", "better"],
            registry=self.registry,
        )
        self.differing_tokens = Counter(
            "wattoken_ingest_differing_reports_unmetered_tokens",
            "Tokens that a second report told and the first, which is metered, did not, by kind.",
            ["kind"],
            registry=self.registry,
        )
        for kind in KINDS:
            self.differing_tokens.labels(kind)
        self.skipped = Counter(
            "wattoken_ingest_events_skipped",
            "Spans, log records and gateway logs that are no use of a model; nothing is wrong.",
            registry=self.registry,
        )
        self.unread = Counter(
            UNREAD_FIELDS,
            "Numbers and tiers in usage objects that no register knows, by format and path.",
            ["format", "field"],
            registry=self.registry,
        )
        self._unread_named: set[tuple[str, str]] = set()
        self.failed = Counter(
            "wattoken_ingest_events_unacknowledged",
            "Valid events that Kafka did not acknowledge in time; answered with 503.",
            registry=self.registry,
        )
        self.redirected = Counter(
            "wattoken_ingest_events_redirected",
            "Events that a closed topic refused and that went to its successor instead.",
            registry=self.registry,
        )
        self.topic = Info(
            "wattoken_ingest_topic",
            "The topic that new events go to.",
            registry=self.registry,
        )
        self.delivery_seconds = Histogram(
            "wattoken_ingest_delivery_seconds",
            "Time from handing a request's events to Kafka to the last acknowledgement.",
            buckets=_DELIVERY_BUCKETS_SECONDS,
            registry=self.registry,
        )
        #: With traces, it says which request it was too.
        self.observe_delivery: Callable[[float], None] = self.delivery_seconds.observe
        self.in_flight_bytes = Gauge(
            "wattoken_ingest_in_flight_bytes",
            "Bytes handed to Kafka and not yet acknowledged.",
            registry=self.registry,
        )
        self.in_flight_events = Gauge(
            "wattoken_ingest_in_flight_events",
            "Events handed to Kafka and not yet acknowledged.",
            registry=self.registry,
        )
        self.held_bytes = Gauge(
            "wattoken_ingest_held_bytes",
            "Bytes of request bodies held in memory.",
            registry=self.registry,
        )
        self.keys_known = Gauge(
            "wattoken_ingest_keys", "API keys that are known.", registry=self.registry
        )
        self.keys_loaded_at = Gauge(
            "wattoken_ingest_keys_loaded_timestamp_seconds",
            "When the API keys were last read.",
            registry=self.registry,
        )
        self.key_reload_failures = Counter(
            "wattoken_ingest_key_reload_failures",
            "Times a changed keys file could not be read; the keys of before stay.",
            registry=self.registry,
        )

        self.tls_certificate_expiry = Gauge(
            "wattoken_ingest_tls_certificate_expiry_timestamp_seconds",
            "When the certificate that is served, or one of its chain, ends; 0 without TLS.",
            registry=self.registry,
        )
        self.tls_reload_failures = Counter(
            "wattoken_ingest_tls_reload_failures",
            "Times a changed certificate or key could not be served; the ones of before stay.",
            registry=self.registry,
        )

        self.spans = Counter(
            "wattoken_ingest_spans",
            "Spans of traces, by whether the collector took them, or did not, or the queue was"
            " full.",
            ["outcome"],
            registry=self.registry,
        )
        for outcome in OUTCOMES:
            self.spans.labels(outcome)

    def count_unread(self, unread: Unread) -> None:
        """Count numbers that no register knows; names beyond the limit share one label."""
        for (usage_format, path), times in unread.items():
            name = (usage_format, path)
            if name not in self._unread_named:
                if len(self._unread_named) >= UNREAD_NAMES_MAX:
                    name = (usage_format, OTHER)
                else:
                    self._unread_named.add(name)
            self.unread.labels(*name).inc(times)

    def count_differences(self, differences: Differences) -> None:
        """Count calls that were reported twice and not alike."""
        for names, reports in differences.reports.items():
            self.differing_reports.labels(*names).inc(reports)
        for kind, tokens in differences.unmetered_tokens.items():
            self.differing_tokens.labels(kind).inc(tokens)

    def count_request(self, path: str, status: int) -> None:
        """Count one answered request."""
        counter = self._by_answer.get((path, status))
        if counter is None:
            counter = self.requests.labels(path if path in PATHS else "other", str(status))
            if path in PATHS:
                self._by_answer[path, status] = counter
        counter.inc()
