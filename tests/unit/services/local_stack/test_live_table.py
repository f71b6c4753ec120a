"""The live table computes demand over its span and shows what the snapshot says."""

from __future__ import annotations

import io

from rich.console import Console

from services.local_stack.live_table import SPAN_SECONDS, LiveTable, Snapshot


def snapshot(at_seconds: float, eu: int, us: int, lag: int = 0) -> Snapshot:
    return Snapshot(
        at_seconds=at_seconds,
        region_tokens={"eu": eu, "us": us},
        model_tokens={"luna": eu, "flash": us},
        requests=12,
        input_tokens=eu,
        output_tokens=us,
        accepted=12,
        duplicate=3,
        late=2,
        rejected=1,
        lag_messages=lag,
    )


def test_demand_is_tokens_over_the_span_highest_first() -> None:
    table = LiveTable()
    table.add(snapshot(100.0, 0, 0))
    assert table.demand() == {}
    table.add(snapshot(102.0, 1_000, 3_000))
    assert list(table.demand().items()) == [("us", 1_500.0), ("eu", 500.0)]


def test_demand_forgets_what_lies_before_the_span() -> None:
    table = LiveTable()
    for second in range(20):
        tokens = 1_000 * second if second <= 10 else 10_000
        table.add(snapshot(float(second), tokens, 0))
    assert table.demand()["eu"] == 0
    assert 19 - SPAN_SECONDS > 10


def test_a_region_that_came_later_counts_from_zero() -> None:
    table = LiveTable()
    first = snapshot(0.0, 0, 0)
    table.add(Snapshot(**{**{n: getattr(first, n) for n in first.__slots__}, "region_tokens": {}}))
    table.add(snapshot(1.0, 500, 0))
    assert table.demand()["eu"] == 500


def test_line_and_table_show_the_newest() -> None:
    table = LiveTable()
    table.add(snapshot(0.0, 0, 0))
    table.add(snapshot(1.0, 4_321, 0, lag=77))
    console = Console(file=io.StringIO(), width=140)
    console.print(table.render())
    drawn = console.file.getvalue()  # type: ignore[attr-defined]
    for text in (table.line(), drawn):
        assert "4,321" in text
        assert "77" in text
    assert "luna" in drawn
