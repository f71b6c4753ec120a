"""PURE. The dashboard Pipeline: whether everything that came in is metered, and how late."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models.common import StackingMode

from tools.dashboards.expressions import STEP, UNFILTERED, told
from tools.dashboards.layout import Page, Section
from tools.dashboards.panels import (
    COUNT,
    NO_UNIT,
    PER_SECOND,
    RATIO,
    SECONDS,
    TOKENS,
    About,
    alerts,
    bars,
    figure,
    lines,
)
from tools.dashboards.queries import PROMETHEUS_TYPE, promql, promql_now

GREEN, ORANGE, RED = "green", "orange", "red"
#: Everything the log gave, less what became of it; 0 as long as nothing is lost or made up. Each is
#: of the exporter that read last: counters only grow, and one reading has all four.
UNACCOUNTED: Final = (
    f"{told('wattoken_events_received_total')} - {told('wattoken_events_accepted_total')}"
    f" - {told('wattoken_events_duplicate_total')} - sum({told('wattoken_events_rejected_total')})"
)
#: When the newest event of each partition was that is metered.
NEWEST: Final = told("wattoken_watermark_timestamp_seconds")
INTERVAL_AGE: Final = (
    f"time() - {told('wattoken_last_closed_interval_end_timestamp_seconds', filtered=UNFILTERED)}"
)
#: Of what came in the time shown, not since the beginning: else a third that is rejected today is
#: nothing beside the year before.
REJECTED: Final = (
    f"sum({told('wattoken_events_rejected_total', grown_over='$__range')})"
    f" / ({told('wattoken_events_received_total', grown_over='$__range')} > 0)"
)


def _records(name: str, by: str = "") -> str:
    rate = told(f"wattoken_events_{name}_total", per_second_over=STEP)
    return f"sum by ({by}) ({rate})" if by else f"sum({rate})"


def _services(metric: str, by: str) -> str:
    """Of ingest or workers, each of which counts its own."""
    return f"sum by ({by}) (rate({metric}[{STEP}]))"


NOW: Final = Section(
    "Now",
    [
        figure(
            About(
                "ClickHouse answers",
                "Whether the exporter could read everything at its last scrape.",
                *(NO_UNIT, 3, 4),
            ),
            promql_now("min(wattoken_up)"),
            steps=[(None, RED), (1, GREEN)],
            words={"0": "no", "1": "yes"},
        ),
        figure(
            About("Lag", "Records on the log that no checkpoint covers yet.", COUNT, 3, 4),
            promql_now(f"sum({told('wattoken_consumer_lag_messages')})"),
            steps=[(None, GREEN), (10_000, ORANGE), (1_000_000, RED)],
        ),
        figure(
            About(
                "Newest event",
                "Age of the newest event that is metered, and of the newest one of the partition"
                " that is furthest behind.",
                *(SECONDS, 3, 4),
            ),
            promql_now(f"time() - max({NEWEST})", "of all"),
            promql_now(f"max(time() - {NEWEST})", "of the last partition", ref="B"),
            steps=[(None, GREEN), (120, ORANGE), (600, RED)],
        ),
        figure(
            About(
                "Newest closed interval",
                "How long ago the newest 15-minute interval ended that is closed in every region;"
                " up to 15 minutes and what closing takes is as it should be.",
                *(SECONDS, 3, 4),
            ),
            promql_now(f"max({INTERVAL_AGE})"),
            steps=[(None, GREEN), (1_800, ORANGE), (2_700, RED)],
        ),
        figure(
            About(
                "Duplicates",
                "Resent records that were not metered again, of all received in 15 minutes.",
                *(RATIO, 3, 4),
            ),
            promql_now("max(system:wattoken_events_duplicate_share:ratio_rate15m)"),
            steps=[(None, GREEN), (0.2, ORANGE)],
        ),
        figure(
            About(
                "Rejected",
                "Records that went to the dead letters, of all received in the time shown.",
                *(RATIO, 3, 4),
            ),
            promql_now(REJECTED),
            steps=[(None, GREEN), (0.01, ORANGE), (0.05, RED)],
        ),
        figure(
            About(
                "Unaccounted",
                "Records received less those accepted, duplicate and rejected. Anything but 0 is"
                " an error of the meter.",
                *(COUNT, 3, 4),
            ),
            promql_now(UNACCOUNTED),
            steps=[(None, RED), (0, GREEN), (1, RED)],
        ),
        figure(
            About(
                "Reconciliation",
                "Largest difference of tokens between two stages that must agree: 0.",
                *(TOKENS, 3, 4),
            ),
            promql_now("max(abs(wattoken_reconciliation_difference_tokens))"),
            steps=[(None, GREEN), (1, RED)],
        ),
    ],
)

ALERTS: Final = Section("Alerts", [alerts("Alerts", width=24, height=6)])

FLOW: Final = Section(
    "What became of each record",
    [
        lines(
            About("Records", "Records read from the log, by what became of them.", PER_SECOND),
            promql(_records("accepted"), "accepted"),
            promql(_records("duplicate"), "duplicate", ref="B"),
            promql(_records("rejected"), "rejected", ref="C"),
            stacked=StackingMode.NORMAL,
        ),
        lines(
            About("Rejected by reason", "Records that went to the dead letters.", PER_SECOND),
            promql(_records("rejected", "reason"), "{{reason}}"),
        ),
        lines(
            About(
                "Duplicates and late events",
                "Resends that were not counted again, and accepted events that came long after"
                " their time.",
                PER_SECOND,
            ),
            promql(_records("duplicate"), "duplicate"),
            promql(_records("late"), "late", ref="B"),
        ),
        lines(
            About("Lag by partition", "Records that no checkpoint covers yet.", COUNT),
            promql(told("wattoken_consumer_lag_messages"), "partition {{partition}}"),
        ),
    ],
)

FRESH: Final = Section(
    "Freshness and reconciliation",
    [
        lines(
            About("Newest event by partition", "Age of the newest event metered.", SECONDS),
            promql(f"time() - {NEWEST}", "partition {{partition}}"),
        ),
        lines(
            About(
                "Newest closed interval by region",
                "How long ago the newest closed interval ended; a saw-tooth of 15 minutes is as it"
                " should be.",
                SECONDS,
            ),
            promql(INTERVAL_AGE, "{{region}}"),
        ),
        lines(
            About(
                "Reconciliation by stage",
                "Tokens by which two families of totals differ that must agree; anything but 0 that"
                " stays is an error of the meter.",
                TOKENS,
            ),
            promql(
                "max by (stage) (wattoken_reconciliation_difference_tokens)",
                "{{stage}}",
            ),
            from_zero=False,
        ),
        lines(
            About("Scrape by collector", "How long the exporter's questions take.", SECONDS),
            promql(
                told("wattoken_scrape_collector_duration_seconds"),
                "{{collector}}",
            ),
        ),
    ],
)

SERVICES: Final = Section(
    "Services",
    [
        lines(
            About(
                "Ingest: acknowledged within",
                "How long Kafka takes to acknowledge what ingest hands on, median and 99th"
                " percentile.",
                SECONDS,
            ),
            *(
                promql(
                    f"histogram_quantile({quantile},"
                    f" {_services('wattoken_ingest_delivery_seconds_bucket', 'le')})",
                    name,
                    ref=ref,
                )
                for quantile, name, ref in ((0.5, "half of them", "A"), (0.99, "99 %", "B"))
            ),
        ),
        lines(
            About(
                "Aggregator: flush",
                "How long a flush to ClickHouse takes, median and 99th percentile.",
                SECONDS,
            ),
            *(
                promql(
                    f"histogram_quantile({quantile},"
                    f" {_services('wattoken_aggregator_flush_seconds_bucket', 'le')})",
                    name,
                    ref=ref,
                )
                for quantile, name, ref in ((0.5, "half of them", "A"), (0.99, "99 %", "B"))
            ),
        ),
        bars(
            About(
                "Collectors",
                "1 if the collector of the exporter had its answer in time, else 0.",
                *(NO_UNIT, 12, 6),
            ),
            promql_now("min by (collector) (wattoken_scrape_collector_success)", "{{collector}}"),
            highest=1,
            steps=[(None, RED), (1, GREEN)],
        ),
        figure(
            About(
                "Series summed into “other”",
                "Label sets beyond --max-series, shown as one.",
                *(COUNT, 6, 6),
            ),
            promql_now(told("wattoken_omitted_series")),
        ),
        figure(
            About(
                "Series held",
                "Counters kept at an earlier value because ClickHouse says less now, as after the"
                " restore of a backup.",
                *(COUNT, 6, 6),
            ),
            promql_now(told("wattoken_held_series")),
            steps=[(None, GREEN), (1, ORANGE)],
        ),
    ],
)

PIPELINE: Final = Page(
    uid="wattoken-pipeline",
    title="Wattoken · Pipeline",
    question="Is everything that came in metered, how late, and do all stages agree?",
    kind=PROMETHEUS_TYPE,
    span="1h",
    refresh="15s",
    variables=[],
    sections=[NOW, ALERTS, FLOW, FRESH, SERVICES],
)
