"""Registers and pipeline from rows, by hand-made examples."""

from __future__ import annotations

from services.exporter.control_room import totals
from services.exporter.control_room.rows import Registers
from services.exporter.rows import CheckpointRow, LogEnds


def test_counts_are_strings_that_hold_any_size() -> None:
    meters = totals.meters([Registers("eu", 1, 2**64, 1), Registers("us", 2, 2**53 + 1, 0)])
    assert meters.system.input_tokens == str(2**64 + 2**53 + 1)
    assert meters.system.tokens == str(2**64 + 2**53 + 2)
    assert meters.regions["us"].tokens == "9007199254740993"


def checkpoint(log: str, partition: int, next_offset: int, **counts: int) -> CheckpointRow:
    fields = {"received": 0, "accepted": 0, "duplicate": 0, "late": 0, "last_append_ms": 0}
    fields |= {"newest_event_ms": 0} | counts
    return CheckpointRow(
        log=log,
        partition=partition,
        topic="t",
        next_offset=next_offset,
        rejected={"r": 2},
        **fields,
    )


def test_health_sums_all_logs_but_lags_on_the_one_of_now() -> None:
    rows = [
        checkpoint("now", 0, 10, received=10, newest_event_ms=1_500),
        checkpoint("now", 1, 7, received=7),
        checkpoint("old", 0, 99, received=99, last_append_ms=2_000),
    ]
    ends = LogEnds("now", {0: 0, 1: 0, 2: 4}, {0: 15, 1: 5, 2: 6})
    health = totals.health(rows, ends)
    assert (health.received, health.rejected, health.rejected_by_reason) == ("116", "6", {"r": "6"})
    assert (health.newest_event, health.last_append) == (1.5, 2.0)
    assert health.lag == "7", "5 + none beyond the end + 2 of a partition never read"
    assert totals.health(rows, None).lag is None
    assert totals.health([], None).newest_event is None
