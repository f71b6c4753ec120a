from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from schemas.metering_rules import MeteringRules
from services.aggregator.core.log_time import CLOCK_STEP_MAX_MS
from services.aggregator.core.timing import RuleBook, epoch_ms, rejection

RULES = MeteringRules(too_old_ms=1000, too_new_ms=100)


@pytest.mark.parametrize(
    ("age_ms", "reason"),
    [(1000, None), (1001, "too_old"), (0, None), (-100, None), (-101, "too_new")],
)
def test_limits_are_inclusive(age_ms: int, reason: str | None) -> None:
    append_ms = 1_000_000
    assert rejection(append_ms - age_ms, append_ms, append_ms, RULES) == reason


def test_a_clock_that_was_ahead_makes_no_event_look_old() -> None:
    assert rejection(1_000_000 - 1000, 1_000_000, 9_000_000, RULES) is None
    assert rejection(1_000_000 - 1001, 1_000_000, 9_000_000, RULES) == "too_old"


def test_a_clock_that_is_behind_makes_no_event_look_too_new() -> None:
    assert rejection(1_000_100, 10_000, 1_000_000, RULES) is None
    assert rejection(1_000_101, 10_000, 1_000_000, RULES) == "too_new"


def test_ids_are_kept_for_the_longest_horizon_still_to_come() -> None:
    def rules(horizon_ms: int) -> MeteringRules:
        return MeteringRules(dedup_horizon_ms=horizon_ms)

    book = RuleBook(((0, rules(70)), (10, rules(20)), (20, rules(50)), (30, rules(10))))
    kept = {offset: book.keep_ms(offset) - CLOCK_STEP_MAX_MS for offset in (0, 9, 10, 29, 30, 99)}
    assert kept == {0: 70, 9: 70, 10: 50, 29: 50, 30: 10, 99: 10}


def test_epoch_ms_rounds_down_and_knows_zones() -> None:
    time = datetime(2026, 3, 15, 14, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert epoch_ms(time) == epoch_ms(datetime(2026, 3, 15, 12, tzinfo=UTC)) + 999


def test_rules_change_at_their_offset() -> None:
    first, second = MeteringRules(), RULES
    book = RuleBook(((0, first), (12, second)))
    assert book.segments(np.array([10, 11, 12, 13])) == [(0, 2, first), (2, 4, second)]
    assert book.segments(np.array([10, 11])) == [(0, 2, first)]
    assert book.segments(np.array([12, 20])) == [(0, 2, second)]


def test_rule_offsets_ascend() -> None:
    with pytest.raises(ValueError, match="ascending"):
        RuleBook(((5, RULES), (5, RULES)))
    with pytest.raises(ValueError, match="ascending"):
        RuleBook(())
