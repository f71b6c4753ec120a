"""The page's figures from rows, by hand-made examples."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.exporter.control_room import figures
from services.exporter.control_room.rows import (
    MinuteTokens,
    RegionBlock,
    RegionCapacity,
    RegionMinute,
    RegionPeriod,
    Window,
)

DAY = 1_773_532_800  # a midnight
NOON = DAY + 12 * 3_600
WINDOW = Window(NOON, NOON - 300, DAY)


def test_the_window_ends_with_the_newest_settled_minute() -> None:
    assert figures.window_of(NOON + 5.9) == Window(NOON - 60, NOON - 60 - 10_800, DAY)
    assert figures.window_of(NOON + 6).now == NOON
    assert figures.window_of(DAY + 5).day_from == DAY - 86_400, "its newest minute was yesterday's"


def test_load_has_zeros_between_usage_and_nothing_around_it() -> None:
    rows = [
        RegionMinute(NOON - 240, "eu", 6, 600),
        RegionMinute(NOON - 120, "us", 60, 1_200),
        RegionMinute(NOON - 120, "eu", 0, 60),
    ]
    load = figures.load(rows, WINDOW).load
    assert load.minutes == [NOON - 300, NOON - 240, NOON - 180, NOON - 120, NOON - 60]
    assert load.tokens_per_second == [None, 10, 0, 21, None]
    assert load.requests_per_second == [None, 0.1, 0, 1, None]
    assert [(curve.region, curve.tokens_per_second) for curve in load.regions] == [
        ("us", [None, 0, 0, 20, None]),
        ("eu", [None, 10, 0, 1, None]),
    ]
    assert load.last_interval_end == NOON - 60
    assert load.region_interval_end == {"eu": NOON - 60, "us": NOON - 60}


def test_load_of_nothing() -> None:
    load = figures.load([], WINDOW).load
    assert load.tokens_per_second == [None] * 5
    assert (load.regions, load.last_interval_end) == ([], None)


def test_many_regions_are_summed_into_one_curve() -> None:
    rows = [RegionMinute(NOON - 60, f"r{number:02}", 1, 6_000 - number) for number in range(20)]
    load = figures.load(rows, WINDOW).load
    assert [curve.region for curve in load.regions] == [
        *(f"r{number:02}" for number in range(7)),
        "other regions",
    ]
    total = sum(curve.tokens_per_second[-1] or 0 for curve in load.regions)
    assert abs(total - (load.tokens_per_second[-1] or 0)) < 0.01
    assert len(load.region_interval_end) == 20


def test_today_counts_closed_blocks_only_and_the_first_of_equal_peaks() -> None:
    window = Window(DAY + 3 * 900 + 60, DAY, DAY)
    rows = [
        RegionBlock(DAY, "eu", 900, 1.0),
        RegionBlock(DAY, "us", 900, 1.0),
        RegionBlock(DAY + 900, "eu", 1_800, 2.0),
        RegionBlock(DAY + 3 * 900, "eu", 90_000, 100.0),
        RegionBlock(DAY - 900, "eu", 450, 0.5),
    ]
    today = figures.today(rows, window)
    assert today.blocks == [DAY, DAY + 900, DAY + 1_800]
    assert today.tokens_per_second == [2.0, 2.0, 0.0]
    assert (today.peak_tokens_per_second, today.peak_block) == (2.0, DAY)
    assert today.average_tokens_per_second == 3_600 / 2_700
    assert today.load_factor == 3_600 / 2_700 / 2
    assert today.tokens == "3600"
    assert today.yesterday[-1] == 0.5
    assert today.yesterday[:-1] == [None] * 95
    assert [(region.region, region.peak_block) for region in today.regions] == [
        ("eu", DAY + 900),
        ("us", DAY),
    ]


def test_today_before_the_first_block_has_closed() -> None:
    today = figures.today([RegionBlock(DAY, "eu", 9, 0.01)], Window(DAY + 840, DAY, DAY))
    assert (today.blocks, today.peak_tokens_per_second, today.load_factor) == ([], None, None)
    assert today.tokens == "0"


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=96))
def test_the_load_factor_is_at_most_one(tokens: list[int]) -> None:
    rows = [RegionBlock(DAY + 900 * n, "eu", part, part / 900) for n, part in enumerate(tokens)]
    window = Window(DAY + 900 * len(tokens), DAY, DAY)
    factor = figures.today(rows, window).load_factor
    assert factor is None or 0 < factor <= 1 + 1e-12
    assert (factor is None) == (max(tokens) == 0)


def test_the_period_of_a_region_without_capacity() -> None:
    period = figures.period(
        [
            RegionPeriod(1, "eu", 5.0, 0.5, 0.9, 2**63, 0.2),
            RegionPeriod(1, "nowhere", 1.0, None, 0.9, None, None),
        ]
    )
    assert period.coincidence_factor == 0.9
    assert [region.capacity_tokens_per_second for region in period.regions] == [str(2**63), None]
    assert figures.period([]).period_start is None


def test_each_of_many_regions_has_its_load_though_few_have_a_curve() -> None:
    rows = [RegionMinute(NOON - 60, f"r{number:02}", 1, 6_000 - number) for number in range(20)]
    rows += [RegionMinute(NOON - 120, "silent", 1, 60), RegionMinute(NOON - 60, "free", 1, 0)]
    load = figures.load(rows, WINDOW).load
    assert load.region_tokens_per_second["r19"] == round((6_000 - 19) / 60, 3)
    assert load.region_tokens_per_second["silent"] == 0
    assert load.region_tokens_per_second["free"] == 0
    assert set(load.region_tokens_per_second) == set(load.region_interval_end)
    assert [curve.sum_of for curve in load.regions] == [1, 1, 1, 1, 1, 1, 1, 15]


def test_a_region_may_be_called_other_regions() -> None:
    load = figures.load([RegionMinute(NOON - 60, "other regions", 1, 60)], WINDOW).load
    assert [curve.sum_of for curve in load.regions] == [1]


def minutes(until: int, of: dict[int, int]) -> figures.Minutes:
    rows = [RegionMinute(minute, "eu", 1, tokens) for minute, tokens in of.items()]
    return figures.load(rows, Window(until, until - figures.LOAD_SECONDS, DAY))


def test_the_first_minutes_of_a_day_agree_with_the_load() -> None:
    """No block has closed, yet there is load: so there are tokens, and a peak not below it."""
    newest = minutes(DAY + 180, {DAY - 60: 900_000, DAY + 60: 600, DAY + 120: 1_200})
    day = figures.day(
        figures.day_minutes([MinuteTokens(DAY + 60, 600)], Window(DAY + 120, DAY, DAY)), newest
    )
    assert day is not None
    assert (day.tokens, day.until) == ("1800", DAY + 180)
    assert (day.peak_tokens_per_second, day.peak_minute) == (20, DAY + 120)
    assert figures.day(None, newest) == day, "the curve knows all of a day this young"


def test_before_the_first_minute_of_a_day_has_closed() -> None:
    newest = minutes(DAY, {DAY - 60: 900})
    day = figures.day(figures.day_minutes([], Window(DAY, DAY, DAY)), newest)
    assert day is not None
    assert (day.day, day.until, day.tokens, day.peak_minute) == (DAY, DAY, "0", None)


def test_the_day_has_older_minutes_and_the_newest_of_those_that_both_know() -> None:
    older = figures.DayMinutes(DAY, NOON - 120, {DAY: 60, NOON - 180: 600})
    newest = minutes(NOON, {NOON - 180: 660, NOON - 60: 6_000})
    day = figures.day(older, newest)
    assert day is not None
    assert (day.tokens, day.peak_minute) == ("6720", NOON - 60)


def test_a_day_of_which_a_part_is_not_known_is_not_told() -> None:
    newest = minutes(NOON, {NOON - 60: 6_000})
    assert figures.day(None, newest) is None
    before = figures.DayMinutes(DAY - 86_400, DAY - 60, {DAY - 120: 60})
    assert figures.day(before, newest) is None
    gap = figures.DayMinutes(DAY, NOON - figures.LOAD_SECONDS - 60, {DAY: 60})
    assert figures.day(gap, newest) is None
    assert figures.day(gap, None) is not None, "the curve cannot be read: what is known, until then"
    assert figures.day(None, None) is None


def test_yesterdays_minutes_are_not_todays() -> None:
    """Over midnight: one of the two readings is still of the day before."""
    yesterday = figures.DayMinutes(DAY - 86_400, DAY, {DAY - 60: 900})
    day = figures.day(yesterday, minutes(DAY + 60, {DAY - 60: 900, DAY: 60}))
    assert day is not None
    assert (day.day, day.tokens) == (DAY, "60")
    ahead = figures.day(figures.DayMinutes(DAY, DAY + 60, {DAY: 60}), minutes(DAY - 60, {}))
    assert ahead is not None
    assert (ahead.day, ahead.tokens) == (DAY, "60")


@given(st.dictionaries(st.integers(0, 719), st.integers(0, 2**70), min_size=1), st.integers(1, 720))
def test_the_peak_is_never_below_the_load_of_now(tokens: dict[int, int], closed: int) -> None:
    of = {DAY + 60 * minute: value for minute, value in tokens.items() if minute < closed}
    until = DAY + 60 * closed
    newest = minutes(until, {at: v for at, v in of.items() if at >= until - figures.LOAD_SECONDS})
    day = figures.day(figures.DayMinutes(DAY, until, of), newest)
    assert day is not None
    assert int(day.tokens) == sum(of.values())
    known = [rate for rate in newest.load.tokens_per_second if rate is not None]
    if known:
        assert day.peak_tokens_per_second is not None
        assert day.peak_tokens_per_second >= max(known)


def test_regions_of_yesterday_are_not_forgotten_at_midnight() -> None:
    today = figures.today([RegionBlock(DAY - 900, "eu", 9, 0.01)], Window(DAY + 60, DAY, DAY))
    assert (today.regions, today.seen_regions) == ([], ["eu"])


def test_capacities_of_any_size() -> None:
    assert figures.capacities([RegionCapacity("eu", 2**63), RegionCapacity("us", 0)]).regions == {
        "eu": str(2**63),
        "us": "0",
    }
