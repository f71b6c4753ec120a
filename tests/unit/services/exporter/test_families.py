"""Rows become families: names, labels, values, and what is left out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from services.exporter import families as made
from services.exporter.exposition import Family
from services.exporter.metric_definitions import exposed_name
from services.exporter.rows import (
    REGISTER_COLUMNS,
    Bill,
    CheckpointRow,
    DemandRow,
    EndedLog,
    LogEnds,
    ModelRow,
    PeakRow,
    PriceListRow,
    PriceRow,
    Reconciliation,
    Series,
    WeekRow,
)
from services.exporter.series import OTHER


def checkpoint(log: str = "c/now", partition: int = 0, **values: Any) -> CheckpointRow:
    known: dict[str, Any] = {
        "topic": "usage",
        "next_offset": 0,
        "received": 0,
        "accepted": 0,
        "duplicate": 0,
        "late": 0,
        "rejected": {},
        "newest_event_ms": 0,
        "last_append_ms": 0,
    }
    return CheckpointRow(log=log, partition=partition, **(known | values))


def samples(family: Family) -> dict[tuple[str, ...], float]:
    return dict(zip(map(tuple, family.label_sets), family.values, strict=True))


def named(families: list[Family]) -> dict[str, dict[tuple[str, ...], float]]:
    return {exposed_name(family.meaning): samples(family) for family in families}


def test_each_column_of_the_registers_is_a_counter() -> None:
    totals = tuple(range(1, len(REGISTER_COLUMNS) + 1))
    families = made.register_families({Series("eu", "openai", "gpt"): totals})
    assert named(families) == {
        f"wattoken_{column}_total": {("eu", "openai", "gpt"): value}
        for column, value in zip(REGISTER_COLUMNS, totals, strict=True)
    }
    assert {family.meaning.type for family in families} == {"counter"}


def test_event_counts_are_sums_over_partitions_and_logs() -> None:
    rows = [
        checkpoint(received=10, accepted=6, duplicate=1, late=2, rejected={"too_old": 3}),
        checkpoint(partition=1, received=5, accepted=4, rejected={"too_old": 1}),
        checkpoint(log="c/before", received=7, accepted=6, rejected={"invalid_json": 1}),
    ]
    families = named(made.event_families(made.event_counts(rows)))
    assert families == {
        "wattoken_events_received_total": {(): 22},
        "wattoken_events_accepted_total": {(): 16},
        "wattoken_events_duplicate_total": {(): 1},
        "wattoken_events_late_total": {(): 2},
        "wattoken_events_rejected_total": {
            ("invalid_event",): 0,
            ("invalid_json",): 1,
            ("too_new",): 0,
            ("too_old",): 4,
        },
    }


def test_a_reason_not_known_here_is_shown_all_the_same() -> None:
    counts = made.event_counts([checkpoint(received=1, rejected={"brand_new": 1})])
    assert counts[("wattoken_events_rejected_total", "brand_new")] == (1,)


def test_lag_is_what_lies_between_checkpoint_and_end() -> None:
    ends = LogEnds("c/now", {0: 0, 1: 40, 2: 0}, {0: 100, 1: 50, 2: 7})
    rows = [
        checkpoint(partition=0, next_offset=90),
        checkpoint(log="c/before", partition=1, next_offset=49),
        checkpoint(partition=2, next_offset=9),
    ]
    # Partition 1 has no checkpoint on this log, partition 2 one beyond its end.
    assert samples(made.lag_family(rows, ends)) == {("0",): 10, ("1",): 10, ("2",): 0}


def test_lag_is_of_the_logs_before_it_too_until_they_are_metered_to_their_ends() -> None:
    """The one before had three partitions, and this one two: all that is left shows."""
    before = EndedLog("c/before", ((0, 10), (4, 20), (0, 7)))
    ends = LogEnds("c/now", {0: 0, 1: 0}, {0: 100, 1: 50}, (before,))
    rows = [
        checkpoint(partition=0, next_offset=90),
        checkpoint(log="c/before", partition=0, next_offset=7),
        checkpoint(log="c/before", partition=2, next_offset=6),
    ]
    lag = samples(made.lag_family(rows, ends))
    assert lag == {("0",): 10 + 3, ("1",): 50 + 16, ("2",): 1}
    rows += [
        checkpoint(log="c/before", partition=number, next_offset=end)
        for number, (_, end) in enumerate(before.stretches)
    ]
    assert samples(made.lag_family(rows, ends)) == {("0",): 10, ("1",): 50}


def test_the_watermark_is_of_partitions_that_have_one() -> None:
    rows = [
        checkpoint(partition=10, newest_event_ms=1_700_000_000_250),
        checkpoint(partition=2, newest_event_ms=1_700_000_000_000),
        checkpoint(partition=3),
    ]
    assert samples(made.watermark_family(rows)) == {
        ("2",): 1_700_000_000.0,
        ("10",): 1_700_000_000.25,
    }


def test_a_partition_shows_the_log_of_now_or_else_the_one_before_it() -> None:
    before = (EndedLog("c/first", ()), EndedLog("c/second", ()))
    ends = LogEnds("c/now", {0: 0, 1: 0, 2: 0}, {0: 9, 1: 9, 2: 9}, before)
    chosen = [
        checkpoint(log="c/now", partition=0, newest_event_ms=1),
        checkpoint(log="c/second", partition=1, newest_event_ms=1),
        checkpoint(log="c/first", partition=2, newest_event_ms=1),
    ]
    others = [
        checkpoint(log="c/second", partition=0, newest_event_ms=9),
        checkpoint(log="c/now", partition=1),
        checkpoint(log="c/first", partition=1, newest_event_ms=9),
        checkpoint(log="c/else", partition=2, newest_event_ms=9),
        checkpoint(log="c/second", partition=7, newest_event_ms=9),
    ]
    for rows in ([*chosen, *others], [*others, *chosen]):
        assert made.current_rows(rows, "usage", ends) == chosen


def test_while_kafka_has_named_no_log_the_one_read_last_is_shown() -> None:
    rows = [
        checkpoint(log="c/before", last_append_ms=1),
        checkpoint(log="c/now", last_append_ms=2),
        checkpoint(log="c/else", topic="another", last_append_ms=3),
    ]
    assert made.current_rows(rows, "usage", None) == rows[1:2]
    assert made.current_rows([], "usage", None) == []


SEEN, RARE = Series("eu", "openai", "gpt"), Series("us", "openai", "gpt")


def shown_as(series: Series) -> Series:
    return series if series == SEEN else OTHER


def test_no_registers_no_families() -> None:
    assert made.register_families({}) == []


def test_demand_is_of_each_series_shown_and_0_where_nothing_flowed() -> None:
    idle = Series("eu", "openai", "idle")
    rows = [DemandRow(SEEN, 2.0, 3.0), DemandRow(RARE, 0.25, 0.0), DemandRow(RARE, 0.5, 1.0)]
    assert named(made.demand_families(rows, [SEEN, idle], shown_as)) == {
        "wattoken_block_demand_tokens_per_second": {SEEN: 2.0, idle: 0.0, OTHER: 0.75},
        "wattoken_sliding_demand_tokens_per_second": {SEEN: 3.0, idle: 0.0, OTHER: 1.0},
    }


def test_peaks_are_a_gauge_each() -> None:
    assert named(made.peak_families([PeakRow("eu", 900, 2.0, 1_700_000_100, 1.5)])) == {
        "wattoken_billing_period_tokens": {("eu",): 900},
        "wattoken_billing_peak_demand_tokens_per_second": {("eu",): 2.0},
        "wattoken_billing_peak_timestamp_seconds": {("eu",): 1_700_000_100},
        "wattoken_coincident_demand_tokens_per_second": {("eu",): 1.5},
    }


def test_a_checkpoint_of_any_log_of_the_chain_moves_its_partition() -> None:
    ends = LogEnds(
        "c/now", {0: 0, 1: 0}, {0: 9, 1: 9}, predecessors=(EndedLog("c/before", ((0, 40),)),)
    )

    def row(log: str, partition: int, offset: int) -> CheckpointRow:
        return CheckpointRow(log, partition, "t", offset, 0, 0, 0, 0, {}, 0, 0)

    rows = [row("c/before", 0, 39), row("c/now", 0, 5), row("c/another", 1, 7)]
    assert samples(made.checkpoint_family(rows, ends)) == {("0",): 44}
    assert samples(made.checkpoint_family([row("c/before", 0, 40)], ends)) == {("0",): 40}


def test_tokens_without_a_price_are_summed_by_model_as_far_as_it_is_shown() -> None:
    def unpriced(series: Series, tokens: int) -> Bill:
        return Bill(series, "unpriced", Decimal(0), tokens)

    rows = [
        *(unpriced(SEEN, 5), Bill(SEEN, "flat", Decimal(1))),
        *(unpriced(Series("us", "p", str(n)), 2**70) for n in range(3)),
    ]
    assert samples(made.unpriced_family(rows, shown_as)) == {
        (SEEN.provider, SEEN.model): 5,
        (OTHER.provider, OTHER.model): 3 * 2**70,
    }
    assert samples(made.unpriced_family([Bill(SEEN, "flat", Decimal(1))], shown_as)) == {}


def test_charges_are_summed_as_decimals() -> None:
    rows = [
        Bill(SEEN, "peak", Decimal("0.1")),
        Bill(SEEN, "off_peak", Decimal("-1.5")),
        *(Bill(Series("us", "p", str(n)), "flat", Decimal("0.1")) for n in range(3)),
    ]
    assert samples(made.bill_family(rows, shown_as)) == {
        (*SEEN, "peak"): 0.1,
        (*SEEN, "off_peak"): -1.5,
        # In floats it would be 0.30000000000000004.
        (*OTHER, "flat"): 0.3,
    }


def test_prices_are_of_what_is_shown() -> None:
    rows = [
        PriceRow("openai", "gpt", "output", "flat", 6e-07),
        PriceRow("openai", "unseen", "output", "flat", 1.0),
    ]
    assert samples(made.price_family(rows, [SEEN])) == {("openai", "gpt", "output", "flat"): 6e-07}


def test_each_source_of_price_lists_shows_since_when_its_version_is_in_use() -> None:
    rows = [PriceListRow("genai-prices", "0.2.3", 1_764_115_200)]
    assert samples(made.price_list_family(rows)) == {("genai-prices", "0.2.3"): 1_764_115_200}


def test_a_model_has_one_info() -> None:
    rows = [
        ModelRow("gpt", "unknown", "unknown", "unknown"),
        ModelRow("gpt", "OpenAI", "US", "closed"),
        ModelRow("unseen", "X", "US", "open"),
    ]
    family = made.model_family(rows, [SEEN])
    assert samples(family) == {("gpt", "OpenAI", "US", "closed"): 1}
    assert exposed_name(family.meaning) == "wattoken_model_info"


def test_the_league_and_capacities_and_intervals() -> None:
    assert named(made.league_families([WeekRow("CN", 469, 0.6, 2)])) == {
        "wattoken_week_tokens": {("CN",): 469},
        "wattoken_week_share_ratio": {("CN",): 0.6},
        "wattoken_leading_weeks": {("CN",): 2},
    }
    assert samples(made.capacity_family({"eu": 7})) == {("eu",): 7}
    assert samples(made.interval_family({"us": 900, "eu": 1800})) == {("eu",): 1800, ("us",): 900}


def test_a_stage_that_cannot_be_compared_is_left_out() -> None:
    assert named(made.reconciliation_families(Reconciliation(None, -3, 0))) == {
        "wattoken_reconciliation_difference_tokens": {("minutes",): -3},
        "wattoken_reconciliation_difference_events": {(): 0},
    }


def test_the_billing_period_is_the_month_in_utc() -> None:
    # 2026-03-31 23:59:59.9 and 2026-04-01 00:00:00 UTC.
    assert made.billing_period_start(1_775_001_599.9) == 1_772_323_200
    assert made.billing_period_start(1_775_001_600) == 1_775_001_600
