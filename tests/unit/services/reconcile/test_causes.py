"""Why quantities differ: each rule where it holds, and where it must not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.reconcile.bill import Context
from services.reconcile.findings import Cause
from services.reconcile.metered import Refused
from tests.unit.services.reconcile.scenes import (
    DAYS,
    FIRST,
    PROVIDER,
    bill,
    calls,
    causes,
    line,
    meter,
    reconciled,
    used,
)

REQUESTS = {(DAYS[0], PROVIDER, "m"): 1000}
SECOND = DAYS[1].first


def test_the_same_on_both_sides_is_no_difference() -> None:
    found = reconciled(
        bill(line("uncached_input", 1000), line("output", 50), requests=REQUESTS),
        with_=meter(used("uncached_input", 1000), used("output", 50), requests=[calls(1000)]),
    )
    assert found.findings == ()
    assert found.within_tolerance


def test_a_loss_of_a_thousandth_is_found() -> None:
    found = reconciled(
        bill(line("uncached_input", 1_000_000), line("output", 50_000), requests=REQUESTS),
        with_=meter(used("uncached_input", 999_000), used("output", 49_950), requests=[calls(999)]),
    )
    assert causes(found) == {
        (1, "uncached_input", "", "not reported"): 1000,
        (1, "output", "", "not reported"): 50,
    }
    assert not found.within_tolerance
    assert f"{found.deviation_percent(found.totals[0]):.4f}" == "0.1000"
    assert {one.evidence for one in found.findings} == {"requests: 1,000 billed, 999 metered"}


def test_of_all_requests_that_are_there_tokens_that_are_not_are_unexplained() -> None:
    found = reconciled(
        bill(line("output", 1000), requests=REQUESTS),
        with_=meter(used("output", 900), requests=[calls(1000, estimated=400)]),
    )
    assert causes(found) == {(1, "output", "", "unexplained"): 100}
    assert "; 400 tokens are estimated" in found.findings[0].evidence


def test_a_request_that_failed_may_be_the_one_that_the_bill_has_not() -> None:
    lost = reconciled(
        bill(line("output", 1000), requests=REQUESTS),
        with_=meter(used("output", 900), requests=[calls(1002, failed=5)]),
    )
    assert causes(lost) == {(1, "output", "", "not reported"): 100}


def test_more_requests_than_billed_were_reported_twice() -> None:
    found = reconciled(
        bill(line("uncached_input", 1000), line("output", 50), requests=REQUESTS),
        with_=meter(used("uncached_input", 1100), used("output", 55), requests=[calls(1100)]),
    )
    assert causes(found) == {
        (1, "uncached_input", "", "reported twice"): -100,
        (1, "output", "", "reported twice"): -5,
    }


@pytest.mark.parametrize(
    ("billed", "metered", "cause"),
    [
        ((1000, 50), (1100, 55), "reported twice"),
        ((1000, 50), (1100, 50), "unexplained"),
        ((0, 0), (1100, 55), "unexplained"),
        ((1100, 50), (1000, 50), "not reported"),
    ],
)
def test_a_bill_that_counts_no_requests_tells_by_the_tokens(
    billed: tuple[int, int], metered: tuple[int, int], cause: str
) -> None:
    found = reconciled(
        bill(line("uncached_input", billed[0]), line("output", billed[1])),
        with_=meter(used("uncached_input", metered[0]), used("output", metered[1])),
    )
    assert {one.cause.value for one in found.findings} == {cause}


def test_tokens_of_another_tier_have_moved_and_are_not_lost() -> None:
    found = reconciled(
        bill(
            line("output", 300, tier="batch"),
            line("output", 700, tier="standard"),
            requests=REQUESTS,
        ),
        with_=meter(used("output", 990), requests=[calls(990)]),
    )
    assert causes(found) == {
        (1, "output", "batch", "other class"): 290,
        (1, "output", "standard", "other class"): -290,
        (1, "output", "batch", "not reported"): 10,
    }


def test_tokens_move_between_tiers_before_they_move_between_classes() -> None:
    found = reconciled(
        bill(
            line("uncached_input", 10, tier="batch"),
            line("uncached_input", 90, tier="standard"),
            line("cache_read", 90, tier="batch"),
            line("output", 9, tier="standard"),
        ),
        with_=meter(
            used("uncached_input", 100), used("cache_read", 100, tier="batch"), used("output", 9)
        ),
    )
    assert causes(found) == {
        (1, "uncached_input", "batch", "other class"): 10,
        (1, "uncached_input", "standard", "other class"): -10,
        (1, "cache_read", "batch", "unexplained"): -10,
    }


def test_a_cache_that_the_gateway_does_not_report_is_another_class() -> None:
    found = reconciled(
        bill(line("uncached_input", 100), line("cache_read", 900), line("output", 7)),
        with_=meter(used("uncached_input", 1000), used("output", 7)),
    )
    assert causes(found) == {
        (1, "cache_read", "", "other class"): 900,
        (1, "uncached_input", "", "other class"): -900,
    }
    assert not found.within_tolerance, "what moved is out of place, though the sums agree"
    evidence = {one.key.billed_as: one.evidence for one in found.findings}
    assert evidence == {
        "cache_read": "metered as uncached_input",
        "uncached_input": "billed as cache_read",
    }


def test_a_context_beyond_the_threshold_is_another_class() -> None:
    long, short = Context(200_000, above=True), Context(200_000, above=False)
    found = reconciled(
        bill(line("output", 10, context=long), line("output", 90, context=short)),
        with_=meter(used("output", 100, band=128_000)),
    )
    assert {(one.key.context, one.cause, one.quantity) for one in found.findings} == {
        (long, Cause.OTHER_CLASS, 10),
        (short, Cause.OTHER_CLASS, -10),
    }


def test_input_never_moves_to_output() -> None:
    found = reconciled(
        bill(line("uncached_input", 1100), line("output", 40)),
        with_=meter(used("uncached_input", 1000), used("output", 50)),
    )
    assert causes(found) == {
        (1, "uncached_input", "", "not reported"): 100,
        (1, "output", "", "unexplained"): -10,
    }


@pytest.mark.parametrize("hour", ["first", "last"])
def test_what_ran_over_midnight_is_late_and_no_more_than_the_hour_had(hour: str) -> None:
    sign = 1 if hour == "first" else -1
    found = reconciled(
        bill(line("output", 1000 + sign * 30), line("output", 1000 - sign * 30, days=DAYS[1])),
        with_=meter(
            used("output", 1000, last_hour=20),
            used("output", 1000, day=SECOND, first_hour=20),
        ),
    )
    left = {1: ("not reported", 10), 2: ("unexplained", -10)}
    if sign < 0:
        left = {1: ("unexplained", -10), 2: ("not reported", 10)}
    assert causes(found) == {
        (1, "output", "", "late"): sign * 20,
        (2, "output", "", "late"): -sign * 20,
        **{(day, "output", "", cause): count for day, (cause, count) in left.items()},
    }


def test_days_that_do_not_follow_one_another_do_not_share_a_midnight() -> None:
    found = reconciled(
        bill(line("output", 1020), line("output", 980, days=DAYS[2])),
        with_=meter(
            used("output", 1000, last_hour=500),
            used("output", 1000, day=DAYS[2].first, first_hour=500),
        ),
    )
    assert "late" not in {one.cause.value for one in found.findings}


def test_what_was_metered_after_the_export_is_late() -> None:
    found = reconciled(
        bill(line("output", 900), requests={(DAYS[0], PROVIDER, "m"): 9}),
        with_=meter(used("output", 1000, after_export=60), requests=[calls(10)]),
    )
    assert causes(found) == {
        (1, "output", "", "late"): -60,
        (1, "output", "", "reported twice"): -40,
    }


def test_what_is_late_needs_no_tolerance() -> None:
    found = reconciled(
        bill(line("output", 900)),
        with_=meter(used("output", 1000, after_export=100)),
        tolerance="0",
    )
    assert causes(found) == {(1, "output", "", "late"): -100}
    assert found.within_tolerance


@pytest.mark.parametrize(
    ("newest", "now", "cause"),
    [
        (datetime(2026, 10, 1, 20, tzinfo=UTC), datetime(2026, 10, 2, 1, tzinfo=UTC), "late"),
        (None, datetime(2026, 10, 2, 1, tzinfo=UTC), "late"),
        # A day later it is a loss, for whoever waits for it.
        (
            datetime(2026, 10, 1, 20, tzinfo=UTC),
            datetime(2026, 10, 3, 1, tzinfo=UTC),
            "not reported",
        ),
        (datetime(2026, 10, 2, tzinfo=UTC), datetime(2026, 10, 2, 1, tzinfo=UTC), "not reported"),
    ],
)
def test_what_the_meter_has_not_reached_is_late(
    newest: datetime | None, now: datetime, cause: str
) -> None:
    found = reconciled(
        bill(line("output", 1000)), with_=meter(used("output", 900), newest_event=newest), now=now
    )
    assert causes(found) == {(1, "output", "", cause): 100}


def test_what_the_meter_refused_is_named() -> None:
    letters = [
        Refused(FIRST, PROVIDER, "m", "too_old", 3, 60, 5),
        Refused(FIRST, PROVIDER, "m", "invalid_field", 1, 20, 0),
        Refused(FIRST, PROVIDER, "another", "too_old", 9, 999, 999),
    ]
    found = reconciled(
        bill(line("uncached_input", 1000), line("output", 50), requests=REQUESTS),
        with_=meter(
            used("uncached_input", 900), used("output", 40), requests=[calls(990)], refused=letters
        ),
    )
    told = {(one.key.billed_as, one.quantity, one.evidence) for one in found.findings}
    assert told == {
        ("uncached_input", 80, "the meter refused: invalid_field 1, too_old 3"),
        ("uncached_input", 20, "requests: 1,000 billed, 990 metered"),
        ("output", 5, "the meter refused: invalid_field 1, too_old 3"),
        ("output", 5, "requests: 1,000 billed, 990 metered"),
    }
    assert {one.cause for one in found.findings} == {Cause.NOT_REPORTED}


def test_what_was_refused_explains_no_more_than_it_had() -> None:
    letter = Refused(FIRST, PROVIDER, "m", "too_old", 3, 100, 0)
    found = reconciled(
        bill(line("uncached_input", 1000), line("cache_read", 1000)),
        with_=meter(used("uncached_input", 920), used("cache_read", 920), refused=[letter]),
    )
    by_refusal = [one for one in found.findings if one.evidence.startswith("the meter refused")]
    assert sum(one.quantity or 0 for one in by_refusal) == 100
    assert sum(one.quantity or 0 for one in found.findings) == 160


def test_an_export_in_millions_is_rounded() -> None:
    found = reconciled(
        bill(line("output", 1_250_000, slack=5_000), line("uncached_input", 10, slack=5)),
        with_=meter(used("output", 1_255_000), used("uncached_input", 16)),
    )
    assert causes(found) == {
        (1, "output", "", "rounding"): -5000,
        (1, "uncached_input", "", "unexplained"): -6,
    }


def test_units_have_no_other_side() -> None:
    found = reconciled(
        bill(line("web_searches", 12), line("output", 40)),
        with_=meter(used("web_searches", 10), used("output", 50), used("images", 4)),
    )
    assert causes(found) == {
        (1, "web_searches", "", "not reported"): 2,
        (1, "output", "", "unexplained"): -10,
    }
    assert found.notes[0] == "metered, and not told by the bill: images"
