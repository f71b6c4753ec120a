"""What a list says now goes on from what it said before: the past stays, but for its own days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from schemas.catalogue.listed_tariffs import ALWAYS, ListedTariff
from services.billing.price_lists.timeline import continued, joined
from tests.unit.services.billing.price_lists.fakes import (
    NOW,
    output_prices,
    tariff,
    tier,
    version,
)

LATER = date(2026, 12, 27)
SEEN = datetime(2026, 12, 27, tzinfo=UTC)
SPRING = datetime(2026, 3, 1, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 10, tzinfo=UTC)
NEXT_YEAR = datetime(2027, 2, 1, tzinfo=UTC)


def test_a_price_that_changed_without_a_day_holds_from_the_day_on_that_it_was_seen() -> None:
    now = tariff("m", version("3", seen=LATER))
    after = continued(tariff("m", version("6")), now, SEEN)
    assert output_prices(after) == {"2000-01-01": "6", "2026-12-27": "3"}
    assert [one.source_date for one in after.versions] == [NOW.date(), LATER]


def test_a_change_that_the_list_dates_and_that_is_new_holds_from_its_day() -> None:
    now = tariff("m", version("6", seen=LATER), version("3", DECEMBER, seen=LATER))
    after = continued(tariff("m", version("6")), now, SEEN)
    assert output_prices(after) == {"2000-01-01": "6", "2026-12-10": "3"}


def test_a_change_that_is_still_to_come_is_taken_over() -> None:
    now = tariff("m", version("6"), version("3", NEXT_YEAR))
    after = continued(tariff("m", version("6")), now, SEEN)
    assert output_prices(after) == {"2000-01-01": "6", "2027-02-01": "3"}


def test_a_correction_of_a_change_that_was_known_is_not_of_the_past() -> None:
    before = tariff("m", version("6"), version("3", SPRING))
    after = continued(before, tariff("m", version("6"), version("4", SPRING)), SEEN)
    assert output_prices(after) == {"2000-01-01": "6", "2026-03-01": "3", "2026-12-27": "4"}


def test_what_stays_the_same_stays_as_it_was_first_seen() -> None:
    before = tariff("m", version("6"), version("3", SPRING))
    now = tariff(
        "m", version("6", seen=LATER, source="p 2"), version("3", SPRING, seen=LATER, source="p 2")
    )
    assert continued(before, now, SEEN) == before


def test_a_tier_that_comes_is_of_from_then_on() -> None:
    with_batch = version("6", SPRING, variants=[tier("batch", "1")])
    after = continued(
        tariff("m", version("9"), version("6", SPRING)), tariff("m", with_batch), SEEN
    )
    assert [one.variant_for("batch", 0) is None for one in after.versions] == [True, True, False]
    assert after.versions[-1].valid_from == SEEN


def test_a_flat_price_becomes_one_of_periods_and_stays_what_it_was() -> None:
    periods = {"utc-00-12": version("4").prices["flat"], "utc-12-24": version("8").prices["flat"]}
    by_hour = version("4").model_copy(update={"prices": periods})
    now = tariff("m", by_hour, calendar="c")
    after = continued(tariff("m", version("6", variants=[tier("batch", "1")])), now, SEEN)
    assert after.calendar == "c"
    assert [set(one.prices) for one in after.versions] == [set(periods)] * 2
    assert after.versions[0].prices["utc-12-24"].price("output") == 6
    assert after.versions[0].variants[0].prices.keys() == periods.keys()
    again = continued(after, tariff("m", version("5")), SEEN + timedelta(days=3))
    assert again.calendar == "c"
    assert again.versions[-1].prices["utc-00-12"].price("output") == 5


def test_a_list_that_has_no_price_any_more_leaves_the_one_it_had_and_says_so() -> None:
    gone = ListedTariff(list="openai", model="m", names=("m",), not_taken="is free now")
    after = continued(tariff("m", version("6")), gone, SEEN)
    assert output_prices(after) == {"2000-01-01": "6"}
    assert after.remarks == (
        "since 2026-12-27 its list has no price that can be taken: is free now",
    )
    assert continued(gone, tariff("m"), SEEN).versions == tariff("m").versions


def test_versions_that_say_the_same_are_one_and_those_with_a_gap_are_not() -> None:
    one, other = version("6"), version("6", SPRING)
    assert joined([one.model_copy(update={"valid_to": SPRING}), other]) == (one,)
    gap = one.model_copy(update={"valid_to": SPRING - timedelta(days=1)})
    assert joined([gap, other]) == (gap, other)


def as_a_list_says_it(one: ListedTariff) -> ListedTariff:
    return one.model_copy(update={"versions": joined(one.versions)})


DAYS = st.integers(0, 400).map(lambda day: NOW - timedelta(days=200) + timedelta(days=day))
HISTORIES = st.builds(
    lambda changes, first: as_a_list_says_it(
        tariff("m", version(first), *(version(p, since) for since, p in sorted(changes.items())))
    ),
    st.dictionaries(DAYS, st.sampled_from(["1", "2", "3"]), max_size=4),
    st.sampled_from(["1", "2", "3"]),
)


@given(HISTORIES, HISTORIES, DAYS)
def test_no_bill_of_the_past_changes_but_by_a_day_that_the_list_gives(
    before: ListedTariff, now: ListedTariff, seen: datetime
) -> None:
    after = continued(before, now, seen)
    known = {one.valid_from for one in before.versions}
    news = [one.valid_from for one in now.versions if one.valid_from not in known | {ALWAYS}]
    for day in range(-210, 420, 7):
        moment = NOW + timedelta(days=day, hours=5)
        was, says, is_now = (one.version_at(moment) for one in (before, now, after))
        assert was is not None and says is not None and is_now is not None
        prices = [one.prices["flat"].price("output") for one in (was, says, is_now)]
        if moment >= seen:
            assert prices[2] == prices[1]
        elif says.valid_from not in news:
            assert prices[2] == prices[0]
        else:
            assert prices[2] == prices[1]
    assert continued(after, now, seen) == after
