"""What the control room asks of a real ClickHouse, where months, weeks and clocks are awkward."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from clickhouse_connect.driver.client import Client

from services.exporter.control_room import queries
from services.exporter.control_room.questions import question
from services.exporter.control_room.rows import Window
from services.exporter.control_room.series import series
from services.exporter.control_room.series_queries import read_series
from tests.versions.database import DatabaseFactory

#: The ends of the last month and week are close enough that their minutes are kept.
NOW = datetime.now(UTC)
MIDNIGHT = datetime(NOW.year, NOW.month, NOW.day, tzinfo=UTC)


def last_month_end() -> datetime:
    """The first moment of the running month."""
    return MIDNIGHT.replace(day=1)


def last_monday() -> datetime:
    """The Monday of the week that runs."""
    return MIDNIGHT - timedelta(days=MIDNIGHT.weekday())


def window_before(end: datetime) -> Window:
    """The last minutes before a midnight."""
    now = int(end.timestamp()) - 120
    return Window(now, now - 10_800, int((end - timedelta(days=1)).timestamp()))


@pytest.fixture(scope="module")
def client(databases: DatabaseFactory) -> Iterator[Client]:
    """Usage around the end of a month and of a week, some of it of clocks that are ahead."""
    database = databases("room")
    with database.connect() as client:
        month, monday = last_month_end(), last_monday()
        minutes = [
            (month - timedelta(minutes=20), "eu", 900),
            (month - timedelta(minutes=40), "eu", 450),
            (month + timedelta(minutes=2), "us", 7),
        ]
        hours = [
            (monday - timedelta(days=7), "gpt-5.6-luna", 100),
            (monday - timedelta(days=6, hours=23), "gpt-5.6-luna", 999),
            (monday, "gpt-5.6-luna", 150),
            (monday + timedelta(days=7), "deepseek-flash", 5),
        ]
        place = ["l", 0, 1]
        names = ["window_start", "region", "provider", "model", "requests", "input_tokens"]
        names += ["log", "partition", "version"]
        client.insert(
            "slices_minute",
            [
                [at, region, "openai", "gpt-5.6-luna", 1, sum_, *place]
                for at, region, sum_ in minutes
            ],
            column_names=names,
        )
        client.insert(
            "slices_hour",
            [[at, "eu", "openai", model, 1, tokens, *place] for at, model, tokens in hours],
            column_names=names,
        )
        yield client


def test_a_clock_that_is_ahead_does_not_end_the_month(client: Client) -> None:
    before = queries.read_period(client, window_before(last_month_end()))
    assert [row.region for row in before] == ["eu"]
    assert not before[0].one_block
    month = int(last_month_end().timestamp())
    after = queries.read_period(client, Window(month + 180, month, month))
    assert "us" in [row.region for row in after]
    assert "eu" not in [row.region for row in after if row.period != month]


def test_one_block_with_usage_is_told(client: Client) -> None:
    month = int(last_month_end().timestamp())
    (row,) = queries.read_period(client, Window(month + 180, month, month))
    assert (row.region, bool(row.one_block)) == ("us", True)


def test_a_clock_that_is_ahead_does_not_end_the_week(client: Client) -> None:
    end = last_monday() + timedelta(days=7)
    window = window_before(end)
    monday = int(last_monday().timestamp())
    assert {row.week for row in queries.read_mix(client, window)} == {monday, monday - 7 * 86_400}
    assert {row.week for row in queries.read_league(client, window)} == {
        *(monday, monday - 7 * 86_400)
    }


def test_growth_compares_the_same_hours(client: Client) -> None:
    """One hour has closed: 150 against 100, whatever the week before had later."""
    monday = int(last_monday().timestamp())
    rows = queries.read_league(client, Window(monday + 3_660, monday, monday))
    assert {row.week: row.growth for row in rows} == {monday: 0.5, monday - 7 * 86_400: None}
    early = queries.read_league(client, Window(monday + 600, monday, monday))
    assert {row.growth for row in early} == {None}, "no hour of the week has closed yet"


def test_a_stretch_is_cut_where_it_is_asked_for(client: Client) -> None:
    """Half-open, in whole steps, and the same of minutes as of hours."""
    month = int(last_month_end().timestamp())
    closed = int(NOW.timestamp()) // 60 * 60
    asked = question([("from", str(month - 2_400)), ("to", str(month - 1_200))], closed)
    told = series(asked, *read_series(client, asked), now=closed)
    assert (told.amount, told.values[0], told.peak_at) == ("450", 7.5, month - 2_400)
    whole = question([("from", str(month - 3_600)), ("to", str(month))], closed)
    assert series(whole, *read_series(client, whole), now=closed).amount == "1350"
    other = question([("from", str(month - 3_600)), ("to", str(month)), ("region", "us")], closed)
    assert series(other, *read_series(client, other), now=closed).amount == "0"
