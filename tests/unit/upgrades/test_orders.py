"""In which order upgrades are made is what operators are told."""

from __future__ import annotations

import re

from tests.upgrades.orders import SIDE_BY_SIDE_SINCE, STOPPED, Order, order_of
from tests.upgrades.trees import ROOT

PAGE = (ROOT / "docs/upgrading.md").read_text(encoding="utf-8")


def test_an_upgrade_that_brings_one_that_stops_stops() -> None:
    assert order_of(["0014_calendar_days.sql"]) is Order.SIDE_BY_SIDE
    assert order_of(["0014_calendar_days.sql", "0015_price_class.sql"]) is Order.STOPPED


def test_the_furthest_that_may_stand_beside_this_tree_is_after_all_that_stop() -> None:
    assert max(STOPPED) < SIDE_BY_SIDE_SINCE


def test_the_notes_say_stop_where_it_is_tried_so_with_the_same_reason() -> None:
    rows = re.findall(r"^\| (\d{4})[^|]*\| ([^|]+) \|", PAGE, re.MULTILINE)
    assert len(rows) > 10
    said = {number: how.removeprefix("**stop**: ") for number, how in rows if "stop" in how}
    assert said == dict(STOPPED)
