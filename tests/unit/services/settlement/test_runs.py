"""Which run may be made when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.billing.periods import parse_period
from services.platform.errors import ConfigurationError
from services.settlement.cut import Cut, must_follow
from services.settlement.runs import RUNS, must_be_next, must_be_time, parse_run, run_before
from services.verify.fields import RUNS as VERIFIED_RUNS

OCTOBER = parse_period("2026-10")


def test_their_names_and_order_are_those_that_a_verifier_knows() -> None:
    assert RUNS == VERIFIED_RUNS == ("SF", "R1", "R2", "R3", "RF")
    assert [run_before(run) for run in RUNS] == [None, *RUNS[:-1]]
    assert parse_run("rf") == "RF"


@pytest.mark.parametrize("made", [(), ("SF",), ("SF", "R1"), ("SF", "R1", "R2", "R3")])
def test_each_follows_the_one_before(made: tuple[str, ...]) -> None:
    for number, run in enumerate(RUNS):
        if number <= len(made):
            must_be_next(OCTOBER, run, made)
        else:
            with pytest.raises(ConfigurationError, match=f"{run} of 2026-10 follows"):
                must_be_next(OCTOBER, run, made)


@pytest.mark.parametrize(
    ("now", "allowed"),
    [
        (datetime(2026, 10, 15, tzinfo=UTC), False),
        (datetime(2026, 11, 1, 23, 59, 59, tzinfo=UTC), False),
        (datetime(2026, 11, 2, tzinfo=UTC), True),
        (datetime(2026, 10, 1, tzinfo=UTC) + timedelta(days=399), True),
        (datetime(2026, 10, 1, tzinfo=UTC) + timedelta(days=399, seconds=1), False),
    ],
)
def test_a_month_is_settled_from_a_day_after_it_while_its_hours_are_kept(
    now: datetime, allowed: bool
) -> None:
    if allowed:
        must_be_time(OCTOBER, now)
    else:
        with pytest.raises(ConfigurationError, match="2026-10 can"):
            must_be_time(OCTOBER, now)


def test_a_cut_is_written_and_read_and_never_goes_back() -> None:
    cut = Cut({("b", 1): 5, ("a", 10): 7, ("a", 9): 2})
    assert Cut.of(cut.text) == cut and cut.hash == Cut.of(cut.text).hash
    must_follow(Cut({("b", 1): 5, ("a", 10): 8, ("a", 9): 2, ("c", 0): 1}), cut, "SF")
    for less in ({("b", 1): 4, ("a", 10): 7, ("a", 9): 2}, {("b", 1): 5, ("a", 10): 7}):
        with pytest.raises(ConfigurationError, match="restored from a backup"):
            must_follow(Cut(less), cut, "SF")
