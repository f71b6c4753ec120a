"""How full a disk may be."""

from __future__ import annotations

import pytest

from services.operate.doctor.finding import Level
from services.operate.doctor.judging.disks import Disk, judge


@pytest.mark.parametrize(
    ("free", "level"),
    [(200, Level.OK), (199, Level.WARNING), (50, Level.WARNING), (49, Level.ERROR)],
)
def test_a_fifth_should_be_free_and_a_twentieth_must(free: int, level: Level) -> None:
    (finding,) = judge((Disk("disk", free, 1000, "make room"),))
    assert finding.level is level
    assert (finding.remedy == "") == (level is Level.OK) or finding.remedy == "make room"
