"""How far a clock may be off."""

from __future__ import annotations

import pytest

from services.operate.doctor.finding import Level
from services.operate.doctor.judging.clocks import Clock, judge


@pytest.mark.parametrize(
    ("least_ms", "most_ms", "level", "told"),
    [
        (-300, 200, Level.OK, "within 0.3 s"),
        (1_999, 2_500, Level.OK, ""),
        (2_000, 2_500, Level.WARNING, "at least 2.0 s ahead of"),
        (60_000, 61_000, Level.ERROR, "60.0 s ahead of"),
        (-9_000, -2_000, Level.WARNING, "at least 2.0 s behind"),
        (-99_000, -60_000, Level.ERROR, "60.0 s behind"),
        (-3_600_000, None, Level.SKIPPED, "not ahead"),
        (5_000, None, Level.WARNING, "at least 5.0 s ahead of"),
    ],
)
def test_what_is_certain_is_told(
    least_ms: int, most_ms: int | None, level: Level, told: str
) -> None:
    (finding,) = judge((Clock("ClickHouse", least_ms, most_ms),))
    assert finding.level is level
    assert told in finding.found
