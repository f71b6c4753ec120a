"""The page's figures from rows, by hand-made examples."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.exporter.control_room import figures
from services.exporter.control_room.rows import (
    LeagueRow,
    MixShare,
    ModelDay,
    RegionBlock,
    RegionMinute,
    RegionPeriod,
    Registers,
    Window,
)
from services.exporter.rows import CheckpointRow, LogEnds

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
    load = figures.load(rows, WINDOW)
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
    load = figures.load([], WINDOW)
    assert load.tokens_per_second == [None] * 5
    assert (load.regions, load.last_interval_end) == ([], None)


def test_many_regions_are_summed_into_one_curve() -> None:
    rows = [RegionMinute(NOON - 60, f"r{number:02}", 1, 6_000 - number) for number in range(20)]
    load = figures.load(rows, WINDOW)
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


def test_mix_and_league_show_the_newest_week() -> None:
    mix = figures.mix(
        [
            MixShare(1, "CN", "DeepSeek", 999),
            MixShare(8, "US", "OpenAI", 25),
            MixShare(8, "CN", "DeepSeek", 50),
            MixShare(8, "CN", "Xiaomi", 25),
        ]
    )
    assert (mix.week_start, mix.tokens) == (8, "100")
    assert [(share.name, share.share) for share in mix.origins] == [("CN", 0.75), ("US", 0.25)]
    assert [share.name for share in mix.authors] == ["DeepSeek", "OpenAI", "Xiaomi"]
    league = figures.league(
        [
            LeagueRow(8, "US", 25, 0.25, 2, 0),
            LeagueRow(8, "CN", 75, 0.75, 1, 2),
            LeagueRow(1, "CN", 60, 0.6, 1, 1),
        ]
    )
    assert [(p.rank, p.origin, p.leading_weeks, p.share_week_before) for p in league.places] == [
        (1, "CN", 2, 0.6),
        (2, "US", 0, None),
    ]
    assert figures.mix([]).week_start is None
    assert figures.league([]).places == []


def test_counts_are_strings_that_hold_any_size() -> None:
    meters = figures.meters([Registers("eu", 1, 2**64, 1), Registers("us", 2, 2**53 + 1, 0)])
    assert meters.system.input_tokens == str(2**64 + 2**53 + 1)
    assert meters.system.tokens == str(2**64 + 2**53 + 2)
    assert meters.regions["us"].tokens == "9007199254740993"
    (model,) = figures.models([ModelDay("m", "", "", 1, 2**60, 2**61)])
    assert (model.tokens, model.author, model.origin, model.share) == (
        str(2**60),
        "unknown",
        "unknown",
        0.5,
    )


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


def checkpoint(log: str, partition: int, next_offset: int, **counts: int) -> CheckpointRow:
    fields = {"received": 0, "accepted": 0, "duplicate": 0, "late": 0, "last_append_ms": 0}
    fields |= {"newest_event_ms": 0} | counts
    return CheckpointRow(
        log=log,
        partition=partition,
        topic="t",
        next_offset=next_offset,
        rejected={"r": 2},
        **fields,
    )


def test_health_sums_all_logs_but_lags_on_the_one_of_now() -> None:
    rows = [
        checkpoint("now", 0, 10, received=10, newest_event_ms=1_500),
        checkpoint("now", 1, 7, received=7),
        checkpoint("old", 0, 99, received=99, last_append_ms=2_000),
    ]
    ends = LogEnds("now", {0: 0, 1: 0, 2: 4}, {0: 15, 1: 5, 2: 6})
    health = figures.health(rows, ends)
    assert (health.received, health.rejected, health.rejected_by_reason) == ("116", "6", {"r": "6"})
    assert (health.newest_event, health.last_append) == (1.5, 2.0)
    assert health.lag == "7", "5 + none beyond the end + 2 of a partition never read"
    assert figures.health(rows, None).lag is None
    assert figures.health([], None).newest_event is None
