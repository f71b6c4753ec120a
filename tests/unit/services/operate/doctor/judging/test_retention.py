"""How long records must be kept, and what is said of backups."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas.metering_rules import DAY_MS, HOUR_MS, MeteringRules
from services.operate.doctor.finding import Level
from services.operate.doctor.judging.retention import Retention, judge

WELL = Retention("usage", 7 * DAY_MS, -1, MeteringRules(), DAY_MS, HOUR_MS)
#: Horizon, step of a clock, and time between backups.
LEAST_MS = DAY_MS + 25 * HOUR_MS + DAY_MS


def levels(facts: Retention) -> dict[str, Level]:
    return {one.what: one.level for one in judge(facts)}


def test_a_week_is_enough_by_the_usual_rules() -> None:
    assert levels(WELL) == {"retention of usage": Level.OK, "backups": Level.OK}


@pytest.mark.parametrize(
    ("retention_ms", "level"),
    [
        (-1, Level.OK),
        (LEAST_MS, Level.OK),
        (LEAST_MS - 1, Level.WARNING),
        (DAY_MS + 25 * HOUR_MS, Level.WARNING),
        (DAY_MS + 25 * HOUR_MS - 1, Level.ERROR),
    ],
)
def test_the_dedup_horizon_is_an_error_and_backups_a_warning(
    retention_ms: int, level: Level
) -> None:
    facts = replace(WELL, retention_ms=retention_ms)
    finding = next(iter(judge(facts)))
    assert finding.level is level
    assert level is Level.OK or f"retention.ms={LEAST_MS}" in finding.remedy


@pytest.mark.parametrize(
    ("retention_ms", "level"),
    [(DAY_MS + HOUR_MS, Level.OK), (DAY_MS + HOUR_MS - 1, Level.WARNING)],
)
def test_with_copies_of_ids_only_a_restore_needs_the_log(retention_ms: int, level: Level) -> None:
    finding = next(iter(judge(replace(WELL, retention_ms=retention_ms, copied=True))))
    assert finding.level is level


def test_less_frequent_backups_want_a_longer_log() -> None:
    assert levels(replace(WELL, backup_ms=6 * DAY_MS))["retention of usage"] is Level.WARNING


def test_a_limit_in_bytes_deletes_what_traffic_decides() -> None:
    found = [one for one in judge(replace(WELL, retention_bytes=10**9)) if one.level != Level.OK]
    assert [one.level for one in found] == [Level.WARNING]
    assert "retention.bytes=-1" in found[0].remedy


def test_events_older_than_the_hours_that_are_kept_are_told() -> None:
    rules = MeteringRules(too_old_ms=500 * DAY_MS)
    assert levels(replace(WELL, rules=rules))["metering rules"] is Level.WARNING


def test_no_rules_want_migrate() -> None:
    (finding,) = judge(replace(WELL, rules=None))
    assert finding.level is Level.ERROR
    assert "wattoken migrate" in finding.remedy


@pytest.mark.parametrize(
    ("age_ms", "level"),
    [(None, Level.SKIPPED), (DAY_MS, Level.OK), (DAY_MS + 1, Level.WARNING)],
)
def test_backups_are_as_old_as_was_said_at_most(age_ms: int | None, level: Level) -> None:
    assert levels(replace(WELL, backup_age_ms=age_ms))["backups"] is level
