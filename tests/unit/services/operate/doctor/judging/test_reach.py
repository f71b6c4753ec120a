"""What answers, what does not, and what is not asked."""

from __future__ import annotations

from services.operate.doctor.finding import Level
from services.operate.doctor.judging.reach import Reached, judge


def test_what_has_no_address_is_skipped_with_the_setting() -> None:
    asked = (
        Reached("Kafka", "b:9092", None, "K", "see to it"),
        Reached("ingest http://i", "http://i", "is not ready (503)", "I", "its log"),
        Reached("Prometheus", "", None, "WATTOKEN_PROMETHEUS_URL", ""),
    )
    well, away, skipped = judge(asked)
    assert well.level is Level.OK
    assert (away.level, away.found, away.remedy) == (Level.ERROR, "is not ready (503)", "its log")
    assert skipped.level is Level.SKIPPED
    assert "WATTOKEN_PROMETHEUS_URL" in skipped.remedy
