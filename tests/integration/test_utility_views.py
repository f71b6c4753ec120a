"""The utility views on a real ClickHouse against an oracle in Python that shares nothing with SQL.

Small hostile data by Hypothesis, and a seeded year of hours for league, growth and streaks.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.docs.blocks import Block, blocks
from tests.integration import utility_oracle as oracle
from tests.integration.utility_oracle import Rows, Slice
from tests.integration.utility_world import CAPACITIES, MAKERS, NOBODYS, UtilityWorld
from tests.versions.database import DatabaseFactory
from tests.versions.effort import examples

MINUTE_VIEWS: dict[str, Callable[[list[Slice], int], Rows]] = {
    "demand_15m": oracle.demand_15m,
    "region_demand_15m": oracle.region_demand_15m,
    "sliding_demand": oracle.sliding_demand,
    "peak_demand": oracle.peak_demand,
    "load_factor": lambda minutes, now: oracle.load_factor(minutes, CAPACITIES, now),
    "load_duration": oracle.load_duration,
    "data_quality": oracle.data_quality,
}
HOUR_VIEWS: dict[str, Callable[[list[Slice], int], Rows]] = {
    "generation_mix": lambda hours, now: oracle.generation_mix(hours, MAKERS, now),
    "token_league": lambda hours, now: oracle.token_league(hours, MAKERS, now),
    "token_density": oracle.token_density,
}
DAY = oracle.DAY_SECONDS
#: Hours lie in these weeks: now, a year ago, and at the end of what is kept.
WEEKS_BACK = (0, 1, 2, 3, 4, 51, 52, 53, 56, 57, 58)
HOURS_OF_WEEK = (0, 1, 100, 167)
AMOUNTS = (0, 0, 1, 450, 900, 900, 10**9, 2**40)


@pytest.fixture(scope="module")
def world(databases: DatabaseFactory) -> Iterator[UtilityWorld]:
    world = UtilityWorld(databases("utility"))
    yield world
    world.close()


def near(expected: object, found: object) -> bool:
    """Whether two values are equal; quotients to the last digits of a float."""
    if isinstance(expected, float) and isinstance(found, float):
        return math.isclose(expected, found, rel_tol=1e-12, abs_tol=1e-12)
    return expected == found


def assert_equal(view: str, expected: Rows, found: Rows) -> None:
    assert found.keys() == expected.keys(), view
    for key, row in expected.items():
        same = len(row) == len(found[key]) and all(map(near, row, found[key]))
        assert same, f"{view} {key}: expected {row}, found {found[key]}"


def assert_views(
    world: UtilityWorld, views: dict[str, Callable[[list[Slice], int], Rows]], slices: list[Slice]
) -> None:
    """Compare every view with the oracle, all within one minute of the database's clock."""
    while True:
        now = world.now()
        found = {view: world.rows(view) for view in views}
        if world.now() // 60 == now // 60:
            break
    for view, expected in views.items():
        assert_equal(view, expected(slices, now), found[view])


def minute_near(draw: Random, now: int) -> int:
    """Draw a minute: just past, around the start of a month, or long ago; a few yet to come.

    The log takes events up to five minutes ahead; more of them meet each rule at any time of day.
    """
    month = oracle.seconds_of(oracle.month_of(now))
    month_before = oracle.seconds_of(oracle.month_of(month - 1))
    around = draw.choice([now, now, now, month, month_before, now - 40 * DAY, now - 125 * DAY])
    time = around + 60 * draw.choice([draw.randint(-40, 30), draw.randint(-16, 5), -1, 0])
    return min(time, now + 1800) // 60 * 60


def hour_near(draw: Random, now: int) -> int:
    """Draw an hour of some week."""
    monday = oracle.seconds_of(oracle.monday_of(now))
    week, hour = draw.choice(WEEKS_BACK), draw.choice(HOURS_OF_WEEK)
    return monday - week * oracle.WEEK_SECONDS + hour * oracle.HOUR_SECONDS


def inserts(
    seed: int, size: int, tenants: tuple[str, ...], time_near: Callable[[Random], int]
) -> list[list[Slice]]:
    """Draw slices of several logs and partitions, in up to three versions over three parts.

    Amounts are few, so that there are ties, or large.
    """
    draw = Random(seed)
    lines = [*MAKERS, NOBODYS, ("p3", "never-registered")]
    batches: list[list[Slice]] = [[], [], []]
    keys = {
        (
            time_near(draw),
            draw.choice(["north", "south", "nowhere"]),
            *draw.choice(lines),
            draw.choice(tenants),
            draw.choice(["usage", "usage", "usage", "debit", "credit"]),
            *draw.choice([("log/a", 0), ("log/a", 1), ("log/b", 0)]),
        )
        for _ in range(size)
    }
    for key in sorted(keys):
        for version in draw.sample(range(1, 10), draw.randint(1, 3)):
            tokens_in, tokens_out = (draw.choice(AMOUNTS) for _ in range(2))
            amounts = (
                *(draw.randint(1, 5), tokens_in, draw.randint(0, tokens_in), tokens_out),
                draw.choice([0, tokens_in + tokens_out, tokens_out]),
            )
            batches[draw.randrange(3)].append(Slice(*key, version, *amounts))
    return batches


CHECKED = settings(
    max_examples=examples(20),
    deadline=None,
    # Data comes from a seed, so there is nothing to shrink but its size.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SEEDS = st.integers(0, 2**32)
SIZES = st.sampled_from([1, 2, 4, 8, 16, 32, 48])


@CHECKED
@given(seed=SEEDS, size=SIZES)
def test_views_on_minutes(world: UtilityWorld, seed: int, size: int) -> None:
    now = world.now()
    batches = inserts(seed, size, ("",), lambda draw: minute_near(draw, now))
    world.replace_slices("slices_minute", batches)
    assert_views(world, MINUTE_VIEWS, sum(batches, []))


@CHECKED
@given(seed=SEEDS, size=SIZES)
def test_views_on_hours(world: UtilityWorld, seed: int, size: int) -> None:
    now = world.now()
    batches = inserts(seed, size, ("t1", "t2"), lambda draw: hour_near(draw, now))
    world.replace_slices("slices_hour", batches)
    assert_views(world, HOUR_VIEWS, sum(batches, []))


Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Year = tuple[int, dict[date, dict[str, int]]]

YEAR_WEEKS = 56
SILENT_WEEK = 20
LINES = [*MAKERS, NOBODYS]


def year_of_hours() -> tuple[Numbers, Flags]:
    """Draw input tokens by (week, hour, line); also which of these hours have a stale version.

    Makers gain and lose ground from week to week, so the lead changes and streaks form. One
    line pauses for weeks, and in one week there is nothing at all.
    """
    draw = np.random.default_rng(20260315)
    level = np.zeros((YEAR_WEEKS, 1, len(LINES)))
    for week in range(1, YEAR_WEEKS):
        level[week] = 0.8 * level[week - 1] + draw.normal(0, 0.5, (1, len(LINES)))
    # Three of the lines are of one origin: not to lead always, they begin lower.
    level[:, :, :3] -= 1.1
    noise = draw.normal(0, 0.2, (YEAR_WEEKS, 168, len(LINES)))
    tokens = np.exp(20 + level + noise).astype(np.int64)
    tokens[SILENT_WEEK] = 0
    tokens[30:33, :, 3] = 0
    return tokens, draw.random(tokens.shape) < 0.02


def write_year(world: UtilityWorld, monday: int, tokens: Numbers, stale: Flags) -> None:
    """Write the year, older versions of some hours with other numbers first."""
    week, hour, line = np.nonzero(tokens)
    start = monday - (YEAR_WEEKS - 1 - week) * oracle.WEEK_SECONDS + hour * oracle.HOUR_SECONDS
    amount, old = tokens[week, hour, line], stale[week, hour, line]
    world.replace_slices("slices_hour", [])
    for version, keep in ((1, old), (2, np.ones_like(old))):
        lines = [LINES[number] for number in line[keep]]
        size = len(lines)
        old_or_new = amount[keep] * (3 if version == 1 else 1)
        world.insert_hours(
            {
                "window_start": start[keep].tolist(),
                "region": ["north" if number % 2 else "south" for number in line[keep]],
                "provider": [provider for provider, _ in lines],
                "model": [model for _, model in lines],
                "version": [version] * size,
                "requests": [1] * size,
                "input_tokens": old_or_new.tolist(),
            }
        )


@pytest.fixture(scope="module")
def year(world: UtilityWorld) -> Year:
    """A seeded year of hours up to this week; gives the moment, and tokens by week and origin."""
    now = world.now()
    this_monday = oracle.monday_of(now)
    tokens, stale = year_of_hours()
    write_year(world, oracle.seconds_of(this_monday), tokens, stale)
    by_week = tokens.sum(axis=1)
    weeks: dict[date, dict[str, int]] = {}
    for number in range(YEAR_WEEKS):
        week = this_monday - timedelta(weeks=YEAR_WEEKS - 1 - number)
        for place, line in enumerate(LINES):
            if by_week[number, place]:
                origin = MAKERS.get(line, oracle.UNKNOWN).origin
                origins = weeks.setdefault(week, {})
                origins[origin] = origins.get(origin, 0) + int(by_week[number, place])
    return now, weeks


def test_a_seeded_year_of_the_league(world: UtilityWorld, year: Year) -> None:
    now, weeks = year
    found = world.rows("token_league")
    assert_equal("token_league", oracle.league_of_weeks(weeks, now), found)
    # The year has in it what the league is for.
    leaders = {key[1] for key, row in found.items() if row[2] == 1}
    streaks = {row[3] for row in found.values()}
    assert len(leaders) >= 3 and max(streaks) >= 4 and 1 in streaks
    assert sum(row[4] is not None for row in found.values()) > 100
    assert sum(row[5] is not None for row in found.values()) >= 3


def test_a_filter_gives_the_rows_that_it_names(world: UtilityWorld, year: Year) -> None:
    week = sorted(year[1])[-3]
    filters: dict[str, Callable[[tuple[Any, ...]], bool]] = {
        f"week_start = '{week}'": lambda key: bool(key[0] == week),
        "origin = 'US'": lambda key: bool(key[1] == "US"),
        f"week_start >= '{week}' AND origin != 'CN'": lambda key: key[0] >= week and key[1] != "CN",
    }
    for where, wanted in filters.items():
        whole = {key: row for key, row in world.rows("token_league").items() if wanted(key)}
        assert whole
        assert_equal(f"token_league, {where}", whole, world.rows("token_league", where))


BIG_MINUTES = """
INSERT INTO slices_minute (window_start, region, provider, model, entry, log, partition, version,
    requests, input_tokens)
SELECT toStartOfMinute(now('UTC')) - INTERVAL intDiv(number, 4) MINUTE,
    ['north', 'south', 'east', 'west'][1 + number % 4], 'p1', 'alpha-1', 'usage', 'log/a', 0, 1,
    1, 1000 + cityHash64(number) % 9000
FROM numbers(4 * 60 * 24 * 50)
"""


def test_a_filter_on_time_reads_only_what_it_names(world: UtilityWorld, year: Year) -> None:
    world.replace_slices("slices_minute", [])
    world.client.command(BIG_MINUTES)
    for question, least_saving in (
        ("demand_15m WHERE window_start >= now('UTC') - INTERVAL 1 HOUR", 20),
        ("region_demand_15m WHERE window_start >= now('UTC') - INTERVAL 1 HOUR", 20),
        ("sliding_demand", 20),
        ("peak_demand WHERE period_start = toStartOfMonth(now('UTC') - INTERVAL 35 DAY)", 1.5),
        ("load_factor WHERE period_start = toStartOfMonth(now('UTC') - INTERVAL 35 DAY)", 1.5),
        ("generation_mix WHERE week_start = toMonday(now('UTC')) - 70", 5),
        ("token_density WHERE window_start >= now('UTC') - INTERVAL 1 DAY", 5),
    ):
        table = "hour" if question.startswith(("generation", "token")) else "minute"
        rows = world.client.query(f"EXPLAIN ESTIMATE SELECT * FROM {question}").result_rows
        read = sum(int(row[3]) for row in rows if row[1] == f"slices_{table}")
        (held,) = world.client.query(f"SELECT count() FROM slices_{table}").result_rows[0]
        assert 0 < read * least_saving <= held, question


def test_totals_of_totals_do_not_wrap(world: UtilityWorld) -> None:
    """Two origins, each with nearly all that 64 bits hold: shares and peaks stay right."""
    now = world.now()
    hour = oracle.seconds_of(oracle.monday_of(now)) - oracle.WEEK_SECONDS
    most = 2**64 - 1
    slices = [
        Slice(time, region, "p1", model, tenant, "usage", "log/a", 0, 1, 1, most, 0, 0, 0)
        for time, region, model, tenant in (
            (hour, "north", "alpha-1", "t1"),
            (hour, "south", "gamma-3", "t1"),
        )
    ]
    world.replace_slices("slices_hour", [slices])
    world.replace_slices("slices_minute", [slices])
    assert_views(world, {"token_league": HOUR_VIEWS["token_league"]}, slices)
    names = ("peak_demand", "load_factor")
    assert_views(world, {name: MINUTE_VIEWS[name] for name in names}, slices)


#: Placeholders of queries that pages show, filled so that what is changed by them is nothing.
PLACEHOLDERS = {
    **{"log": "nobody/nothing", "gone": "nobody.v1", "partition": 0, "version": 0, "start": 0},
    **{"region": "nowhere", "model": "none", "wrong": 0},
}


@pytest.mark.parametrize("block", blocks("sql"), ids=lambda block: block.at)
def test_every_query_that_a_page_shows_runs(world: UtilityWorld, year: Year, block: Block) -> None:
    """Of docs/sql.md, the runbook and others: on a year of usage. What changes rows finds none."""
    named = {name: PLACEHOLDERS[name] for name in re.findall(r"\{(\w+):", block.text)}
    query = block.text.strip().removesuffix(";")
    if query.startswith(("SELECT", "WITH")):
        world.client.query(query, parameters=named)
    else:
        # What it names is checked when it is taken; parts are looked through later.
        world.client.command(query, parameters=named, settings={"lightweight_deletes_sync": 0})
