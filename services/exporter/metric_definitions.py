"""PURE. What does each metric mean? One table, which docs/metrics.md is generated from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

#: Reasons of rejection; each is shown from 0 on, so that the first one is seen as an increase.
REJECTION_REASONS: Final = ("invalid_event", "invalid_json", "too_new", "too_old")

#: The collectors: each fails alone, and takes only the families away that name it.
Collector = Literal[
    "registers",
    "checkpoints",
    "log",
    "demand",
    "intervals",
    "peaks",
    "bills",
    "energy",
    "league",
    "catalogue",
    "reconciliation",
    "exporter",
]
#: Read afresh for every scrape; the others, "exporter" aside, are kept for a while.
FRESH: Final[tuple[Collector, ...]] = ("registers", "checkpoints", "log")
KEPT: Final[tuple[Collector, ...]] = (
    *("demand", "intervals", "peaks", "bills", "energy", "league", "catalogue", "reconciliation"),
)


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """One metric of ours: its name as it is shown, type, labels, and what it says."""

    name: str
    type: Literal["counter", "gauge", "info"]
    labels: tuple[str, ...]
    #: Families of one collector are absent while it fails; those of "exporter" are always there.
    collectors: tuple[Collector, ...]
    help: str


_SERIES: Final = ("region", "provider", "model")


def _register(column: str, text: str) -> MetricDefinition:
    return MetricDefinition(f"wattoken_{column}_total", "counter", _SERIES, ("registers",), text)


def _events(name: str, text: str, *labels: str) -> MetricDefinition:
    return MetricDefinition(
        f"wattoken_events_{name}_total", "counter", labels, ("checkpoints",), text
    )


def _gauge(
    name: str, labels: tuple[str, ...], collectors: tuple[Collector, ...], text: str
) -> MetricDefinition:
    return MetricDefinition(f"wattoken_{name}", "gauge", labels, collectors, text)


_REGISTERS: Final = (
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
    _gauge(
        "omitted_series",
        (),
        ("registers",),
        'Label sets not shown by name but summed into the one labelled "other".',
    ),
)

_CANARY: Final = (
    _gauge(
        "canary_metered_requests",
        ("canary",),
        ("registers",),
        "Requests of a canary in the registers; in no counter of usage.",
    ),
    _gauge(
        "canary_metered_input_tokens",
        ("canary",),
        ("registers",),
        "Input tokens of a canary in the registers; in no counter of usage.",
    ),
    _gauge(
        "canary_metered_output_tokens",
        ("canary",),
        ("registers",),
        "Output tokens of a canary in the registers; in no counter of usage.",
    ),
)

_DEMAND: Final = (
    _gauge(
        "block_demand_tokens_per_second",
        _SERIES,
        ("registers", "demand"),
        "Demand in the last complete 15-minute block (:00, :15, :30, :45 UTC).",
    ),
    _gauge(
        "sliding_demand_tokens_per_second",
        _SERIES,
        ("registers", "demand"),
        "Demand over the last 15 complete minutes.",
    ),
    _gauge(
        "last_closed_interval_end_timestamp_seconds",
        ("region",),
        ("intervals",),
        "End of the newest complete 15-minute block in which the region has metered usage.",
    ),
    _gauge(
        "billing_period_tokens",
        ("region",),
        ("peaks",),
        "Tokens of the region in this billing period so far; what load factors divide.",
    ),
    _gauge(
        "billing_peak_demand_tokens_per_second",
        ("region",),
        ("peaks",),
        "Highest block demand of the region in this billing period (calendar month, UTC).",
    ),
    _gauge(
        "billing_peak_timestamp_seconds",
        ("region",),
        ("peaks",),
        "Start of the block in which the region had its billing peak demand.",
    ),
    _gauge(
        "coincident_demand_tokens_per_second",
        ("region",),
        ("peaks",),
        "Demand of the region in the block of the whole system's highest demand of this billing"
        " period; the sum over all regions is the coincident peak.",
    ),
    _gauge(
        "capacity_tokens_per_second",
        ("region",),
        ("catalogue",),
        "Provisioned capacity of the region, as the catalogue says.",
    ),
)

_MONEY: Final = (
    _gauge(
        "price_usd_per_token",
        ("provider", "model", "token_class", "tou_period"),
        ("registers", "catalogue"),
        "Price in force now of models that are shown by name, in the standard tier for input of any"
        " length; where regions differ, the highest. Only prices in USD.",
    ),
    _gauge(
        "price_list_first_seen_timestamp_seconds",
        ("package", "version"),
        ("catalogue",),
        "Day since which this version of a package's price lists is in use; what providers changed"
        " since is not in them.",
    ),
    _gauge(
        "billing_period_charges_usd",
        (*_SERIES, "tou_period"),
        ("registers", "bills"),
        "What this billing period's usage comes to so far, adjustments included, all tenants;"
        " unpriced usage is not in it, nor what is priced in another currency, nor demand charges.",
    ),
    _gauge(
        "billing_period_unpriced_tokens",
        ("provider", "model"),
        ("registers", "bills"),
        "Tokens of this billing period so far that no tariff prices, all tenants; on no bill."
        ' Models that are not shown by name are summed in "other"; one that is priced is absent.',
    ),
    _gauge(
        "billing_period_start_timestamp_seconds",
        (),
        ("exporter",),
        "Start of this billing period: the first of the month, 00:00 UTC.",
    ),
)

_ELECTRICITY: Final = (
    _gauge(
        "billing_period_electricity_joules",
        (*_SERIES, "bound"),
        ("registers", "energy"),
        "REAL electricity that this billing period's usage took so far, all tenants, the overhead"
        " of sites included: an estimate from output tokens and requests, bound low, mean or high."
        " Of unrated models it is absent, not 0. Input, prefill, caches and the size of batches"
        " are not in it: docs/energy.md.",
    ),
    _gauge(
        "billing_period_co2e_grams",
        ("region", "account", "bound"),
        ("registers", "energy"),
        "CO2e of that electricity by the region's grid (account location) and by what is bought"
        " (market), which are two accounts of the same and never added; and the share of making the"
        " computers (embodied), which is in neither.",
    ),
    _gauge(
        "billing_period_unrated_tokens",
        ("provider", "model"),
        ("registers", "energy"),
        "Tokens of this billing period so far whose electricity no rating says, all tenants. Models"
        ' that are not shown by name are summed in "other"; one that is rated is absent.',
    ),
)

_LEAGUE: Final = (
    _gauge(
        "week_tokens",
        ("origin",),
        ("league",),
        "Tokens of this ISO week so far by home country of the models' makers.",
    ),
    _gauge(
        "week_share_ratio",
        ("origin",),
        ("league",),
        "Share of all tokens of this ISO week so far by home country of the models' makers.",
    ),
    _gauge(
        "leading_weeks",
        ("origin",),
        ("league",),
        "Weeks in a row, this one included, that the origin has led by tokens; 0 if it does not.",
    ),
    MetricDefinition(
        "wattoken_model",
        "info",
        ("model", "author", "origin", "license"),
        ("registers", "catalogue"),
        "Who made a model that is shown by name, where, and under which license.",
    ),
)

_PIPELINE: Final = (
    _events("received", "Records read from the log: accepted, duplicate and rejected ones."),
    _events("accepted", "Events that were metered."),
    _events("duplicate", "Resent events that were not metered again."),
    _events("late", "Accepted events that came long after their time (metering rule late_after)."),
    _events("rejected", "Records that went to the dead letters, by reason.", "reason"),
    _gauge(
        "consumer_lag_messages",
        ("partition",),
        ("checkpoints", "log"),
        "Records on the log that no checkpoint covers yet.",
    ),
    _gauge(
        "checkpoint_offset",
        ("partition",),
        ("checkpoints", "log"),
        "Offset below which the partition is metered, those of the logs before it added: a lag that"
        " stays while it stands still is stuck.",
    ),
    _gauge(
        "watermark_timestamp_seconds",
        ("partition",),
        ("checkpoints",),
        "Newest event time accepted; absent for a partition that accepted none.",
    ),
    _gauge(
        "reconciliation_difference_tokens",
        ("stage",),
        ("reconciliation",),
        "Tokens that one family holds and the next does not, adjustments included: registers less"
        " hours (stage hours), hours less minutes since yesterday (stage minutes).",
    ),
    _gauge(
        "reconciliation_difference_events",
        (),
        ("reconciliation",),
        "Events accepted, by the checkpoints, that the registers do not hold; below 0: that they"
        " hold beyond.",
    ),
)

_EXPORTER: Final = (
    _gauge(
        "held_series",
        (),
        ("exporter",),
        "Label sets and event counts held at an earlier value because ClickHouse now says less,"
        " as after the restore of a backup.",
    ),
    _gauge(
        "heights_kept",
        (),
        ("exporter",),
        "1 if the counters' heights are on disk, so that not even a restart lets one fall; 0"
        " without a state folder, or if it cannot be written.",
    ),
    MetricDefinition(
        "wattoken_build",
        "info",
        ("version", "revision"),
        ("exporter",),
        "Version and commit of the exporter.",
    ),
    _gauge(
        "up",
        (),
        ("exporter",),
        "1 if registers and checkpoints were read in time for this scrape, else 0; with neither,"
        " all families that need ClickHouse are absent.",
    ),
    _gauge(
        "scrape_collector_success",
        ("collector",),
        ("exporter",),
        "1 if the collector got its answer in time, else 0.",
    ),
    _gauge(
        "scrape_collector_duration_seconds",
        ("collector",),
        ("exporter",),
        "How long the collector took: in this scrape, or when it last read what it keeps.",
    ),
)

#: What does this metric mean? The answer, in the order of exposition.
METRICS: Final = (
    *(*_REGISTERS, *_CANARY, *_DEMAND, *_MONEY, *_ELECTRICITY),
    *(*_LEAGUE, *_PIPELINE, *_EXPORTER),
)
DEFINITIONS: Final = {meaning.name: meaning for meaning in METRICS}


def exposed_name(meaning: MetricDefinition) -> str:
    """Return the name that the samples bear: an info's has the suffix ``_info``."""
    return f"{meaning.name}_info" if meaning.type == "info" else meaning.name
