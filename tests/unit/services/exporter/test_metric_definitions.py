"""The table of metrics: whole, without doubles, named as Prometheus wants it."""

from __future__ import annotations

from typing import get_args

from services.exporter.metric_definitions import FRESH, KEPT, METRICS, Collector, exposed_name

#: Names and labels that dashboards and rules elsewhere build on.
PROMISED = {
    "block_demand_tokens_per_second": ("region", "provider", "model"),
    "sliding_demand_tokens_per_second": ("region", "provider", "model"),
    "billing_peak_demand_tokens_per_second": ("region",),
    "billing_peak_timestamp_seconds": ("region",),
    "coincident_demand_tokens_per_second": ("region",),
    "capacity_tokens_per_second": ("region",),
    "price_usd_per_token": ("provider", "model", "token_class", "tou_period"),
    "price_list_first_seen_timestamp_seconds": ("package", "version"),
    "billing_period_charges_usd": ("region", "provider", "model", "tou_period"),
    "billing_period_start_timestamp_seconds": (),
    "week_tokens": ("origin",),
    "week_share_ratio": ("origin",),
    "leading_weeks": ("origin",),
    "model_info": ("model", "author", "origin", "license"),
    "build_info": ("version", "revision"),
    "last_closed_interval_end_timestamp_seconds": ("region",),
    "reconciliation_difference_tokens": ("stage",),
    "omitted_series": (),
    "up": (),
}


def test_the_table_is_whole_and_without_doubles() -> None:
    names = [meaning.name for meaning in METRICS]
    assert len(names) == len(set(names))
    assert all(name.startswith("wattoken_") for name in names)
    assert all(meaning.help.endswith(".") for meaning in METRICS)
    assert all(
        name.endswith("_total") == (m.type == "counter")
        for name, m in zip(names, METRICS, strict=True)
    )


def test_what_is_promised_is_in_it() -> None:
    shown = {exposed_name(meaning): meaning.labels for meaning in METRICS}
    for name, labels in PROMISED.items():
        assert shown[f"wattoken_{name}"] == labels


def test_no_metric_tells_tenants_or_ids() -> None:
    for meaning in METRICS:
        assert not {"tenant", "id", "source", "key"} & set(meaning.labels)


def test_each_collector_is_fresh_kept_or_the_exporter() -> None:
    assert {*FRESH, *KEPT, "exporter"} == set(get_args(Collector))
    assert {name for meaning in METRICS for name in meaning.collectors} == set(get_args(Collector))
