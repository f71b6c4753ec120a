"""What is said of old prices, and of another catalogue in the database."""

from __future__ import annotations

from services.operate.doctor.finding import Level
from services.operate.doctor.judging.prices import PriceList, Prices, judge


def test_old_prices_and_another_catalogue_are_warnings() -> None:
    facts = Prices((PriceList("a", "40 days", True), PriceList("b", "1 day", False)), ("models",))
    assert [(one.what, one.level) for one in judge(facts)] == [
        ("price list a", Level.WARNING),
        ("price list b", Level.OK),
        ("catalogue", Level.WARNING),
    ]


def test_the_same_catalogue_is_well_and_one_that_was_not_asked_no_news() -> None:
    assert [one.level for one in judge(Prices((), ()))] == [Level.OK]
    assert [*judge(Prices((), None))] == []
