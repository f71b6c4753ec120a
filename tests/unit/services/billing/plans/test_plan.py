"""What a plan does to labels, tiers and moments."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.billing.periods import parse_period
from services.billing.plans.plan import ACTUAL, Labels, Plan, length

OLD, NEW, OTHER = Labels("us", "p", "m"), Labels("eu", "q", "m"), Labels("us", "p", "other")
FEBRUARY = parse_period("2028-02")


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2028, 2, day, hour, minute, tzinfo=UTC)


def test_what_no_mapping_names_stays_as_it_was() -> None:
    plan = Plan("yours", "x", labels={OLD: NEW}, tiers={OLD: "batch"})
    assert (plan.relabelled(OLD), plan.relabelled(OTHER)) == (NEW, OTHER)
    assert (plan.tier(OLD, ""), plan.tier(OTHER, "flex")) == ("batch", "flex")
    assert plan.moves(OLD) and not plan.moves(OTHER)
    assert plan.moment(at(3, 4, 5), FEBRUARY) == at(3, 4, 5)


@pytest.mark.parametrize(
    ("hours", "before", "after"),
    [
        (1, at(29, 22, 59), at(29, 23, 59)),
        (1, at(29, 23, 59), at(1, 0, 59)),
        (-1, at(1, 0, 1), at(29, 23, 1)),
        (168, at(22, 23), at(29, 23)),
        (168, at(23, 0), at(1, 0)),
    ],
)
def test_a_month_is_a_ring(hours: int, before: datetime, after: datetime) -> None:
    assert Plan("hour", "x", shift_hours=hours).moment(before, FEBRUARY) == after


def test_hours_and_tariffs_move_what_keeps_its_labels() -> None:
    assert Plan("hour", "x", shift_hours=1).moves(OLD)
    # Tariffs are by the labels of the plan.
    assert Plan("yours", "x", labels={OLD: OTHER}, tariffs={OTHER: "t"}).moves(OTHER)
    assert not Plan("tariff", "x", tariffs={OTHER: "t"}).moves(OLD)
    assert not ACTUAL.moves(OLD)


def test_a_month_has_its_own_length() -> None:
    assert length(FEBRUARY).days == 29
