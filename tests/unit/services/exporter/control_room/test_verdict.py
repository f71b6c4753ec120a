"""When the page must say that its figures are not of now."""

from __future__ import annotations

from dataclasses import replace

from services.exporter.control_room import figures, totals
from services.exporter.control_room.document import Health, Section
from services.exporter.control_room.rows import RegionMinute, Registers, Window
from services.exporter.control_room.verdict import judge

NOON = 1_773_576_000
WINDOW = Window(NOON, NOON - 300, NOON - 43_200)


def sections(
    *, last_minute: int | None = NOON - 60, lag: str | None = "0", newest: float | None = None
) -> dict[str, Section]:
    rows = [] if last_minute is None else [RegionMinute(last_minute, "eu", 1, 1)]
    health = Health("1", "1", "0", "0", "0", lag=lag, newest_event=newest)
    return {
        "load": Section(figures.load(rows, WINDOW).load, NOON),
        "registers": Section(totals.meters([Registers("eu", 1, 1, 1)]), NOON),
        "health": Section(health, NOON),
    }


def test_live_until_three_minutes_after_the_last_interval() -> None:
    assert judge(sections(), NOON + 180).state == "live"
    late = judge(sections(), NOON + 180.1)
    assert (late.state, late.since, late.reason) == ("stale", NOON, "no usage arrives")


def test_stale_says_when_the_meter_is_behind() -> None:
    status = judge(sections(last_minute=NOON - 300, lag="12345"), NOON)
    assert (status.state, status.reason) == ("stale", "the meter is 12,345 records behind")
    assert (status.cause, status.behind) == ("behind", "12345")
    quiet = judge(sections(last_minute=NOON - 300, lag=None), NOON)
    assert (quiet.reason, quiet.cause) == ("no usage arrives", "no_usage")


def test_stale_for_longer_than_the_curve_reaches_back() -> None:
    status = judge(sections(last_minute=None, newest=NOON - 90_000.0), NOON)
    assert (status.state, status.since) == ("stale", NOON - 90_000.0)


def test_unavailable_since_the_first_failure_whatever_else_holds() -> None:
    given = sections()
    given["load"] = replace(given["load"], error="refused", error_since=NOON - 5.0)
    given["health"] = replace(given["health"], error="no answer", error_since=NOON - 9.0)
    status = judge(given, NOON)
    assert (status.state, status.reason, status.since) == ("unavailable", "no answer", NOON - 9.0)


def test_unavailable_while_nothing_was_read() -> None:
    given = sections()
    given["registers"] = Section(None, None)
    assert judge(given, NOON).state == "unavailable"


def test_empty_is_not_stale() -> None:
    given = sections(last_minute=None)
    given["registers"] = Section(totals.meters([]), NOON)
    assert judge(given, NOON).state == "empty"
