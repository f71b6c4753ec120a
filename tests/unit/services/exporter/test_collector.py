"""Rows become families: names, labels, values, and what is left out."""

from __future__ import annotations

from typing import Any

from prometheus_client.core import Metric

from services.exporter import collector
from services.exporter.collector import METRICS
from services.exporter.rows import REGISTER_COLUMNS, CheckpointRow, LogEnds, Series


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


def samples(family: Metric) -> dict[tuple[str, ...], float]:
    return {tuple(sample.labels.values()): sample.value for sample in family.samples}


def named(families: list[Metric]) -> dict[str, dict[tuple[str, ...], float]]:
    return {family.samples[0].name: samples(family) for family in families if family.samples}


def test_each_column_of_the_registers_is_a_counter() -> None:
    totals = tuple(range(1, len(REGISTER_COLUMNS) + 1))
    families = collector.register_families({Series("eu", "openai", "gpt"): totals})
    assert named(families) == {
        f"wattoken_{column}_total": {("eu", "openai", "gpt"): value}
        for column, value in zip(REGISTER_COLUMNS, totals, strict=True)
    }
    assert {family.type for family in families} == {"counter"}


def test_event_counts_are_sums_over_partitions_and_logs() -> None:
    rows = [
        checkpoint(received=10, accepted=6, duplicate=1, late=2, rejected={"too_old": 3}),
        checkpoint(partition=1, received=5, accepted=4, rejected={"too_old": 1}),
        checkpoint(log="c/before", received=7, accepted=6, rejected={"invalid_json": 1}),
    ]
    families = named(collector.event_families(collector.event_counts(rows)))
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
    counts = collector.event_counts([checkpoint(received=1, rejected={"brand_new": 1})])
    assert counts[("wattoken_events_rejected_total", "brand_new")] == (1,)


def test_lag_is_what_lies_between_checkpoint_and_end() -> None:
    ends = LogEnds("c/now", {0: 0, 1: 40, 2: 0}, {0: 100, 1: 50, 2: 7})
    rows = [
        checkpoint(partition=0, next_offset=90),
        checkpoint(log="c/before", partition=1, next_offset=49),
        checkpoint(partition=2, next_offset=9),
    ]
    # Partition 1 has no checkpoint on this log, partition 2 one beyond its end.
    assert samples(collector.lag_family(rows, ends)) == {("0",): 10, ("1",): 10, ("2",): 0}


def test_the_watermark_is_of_this_log_and_of_partitions_that_have_one() -> None:
    rows = [
        checkpoint(partition=10, newest_event_ms=1_700_000_000_250),
        checkpoint(partition=2, newest_event_ms=1_700_000_000_000),
        checkpoint(partition=3),
        checkpoint(log="c/before", partition=4, newest_event_ms=1_700_000_000_000),
    ]
    assert samples(collector.watermark_family(rows, "c/now")) == {
        ("2",): 1_700_000_000.0,
        ("10",): 1_700_000_000.25,
    }


def test_the_log_is_what_kafka_said_else_the_one_read_last() -> None:
    rows = [
        checkpoint(log="c/before", last_append_ms=1),
        checkpoint(log="c/now", last_append_ms=2),
        checkpoint(log="c/else", topic="another", last_append_ms=3),
    ]
    assert collector.current_log(rows, "usage", "c/known") == "c/known"
    assert collector.current_log(rows, "usage", None) == "c/now"
    assert collector.current_log([], "usage", None) is None


def test_the_table_is_whole_and_without_doubles() -> None:
    names = [meaning.name for meaning in METRICS]
    assert len(names) == len(set(names))
    assert all(name.startswith("wattoken_") for name in names)
    assert all(meaning.help.endswith(".") for meaning in METRICS)
    assert all(
        name.endswith("_total") == (m.type == "counter")
        for name, m in zip(names, METRICS, strict=True)
    )


def test_an_info_bears_its_suffix() -> None:
    info = collector.family("wattoken_build", [(("1.2", "abc"), 1)])
    assert [sample.name for sample in info.samples] == ["wattoken_build_info"]
    assert samples(info) == {("1.2", "abc"): 1.0}
