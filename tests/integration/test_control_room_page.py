"""The control room's page in a real Chromium, over figures that are made up for each case."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from services.exporter.control_room.alerts import Alert, Alerts
from services.exporter.control_room.document import Links, Section
from services.exporter.control_room.electricity import ElectricityRow
from services.exporter.control_room.money import ChargeRow
from services.local_stack.errors import ComponentMissing
from tests.axe import axe_script
from tests.integration.conftest import missing
from tests.integration.control_room_scene import DAY, NOON, Scene, failed, served
from tools.pictures.browser import Browser, Page

Show = Callable[..., Page]
READY = "!['', 'waiting', undefined].includes(document.documentElement.dataset.state)"
RUNBOOK = "https://book.example/runbook.md"


@pytest.fixture
def show(browser: Browser) -> Iterator[Show]:
    """Open the page over a scene, and wait until it shows figures."""
    with ExitStack() as opened:

        def open_(
            scene: Scene,
            query: str = "",
            width: int = 1440,
            height: int = 1000,
            ready: str = "#regions-table",
        ) -> Page:
            address = opened.enter_context(served(scene))
            page = browser.new_page()
            opened.callback(page.close)
            page.look(width, height)
            page.open(address + query)
            page.wait_for(f"{READY} && document.querySelector('{ready} tbody tr') !== null")
            return page

        yield open_


def text(page: Page, id_: str) -> str:
    return str(page.evaluate(f"document.getElementById('{id_}').innerText")).strip()


def title(page: Page, id_: str) -> str:
    return str(page.evaluate(f"document.getElementById('{id_}').title"))


def rows(page: Page, id_: str) -> list[list[str]]:
    found: list[list[str]] = page.evaluate(
        f"[...document.querySelectorAll('#{id_} tbody tr')].map(row =>"
        " [...row.children].map(cell => cell.textContent))"
    )
    return found


def many_regions(count: int = 12) -> Scene:
    """Each of them busy, and each with twice the capacity that it needs."""
    return Scene(
        regions={f"r{number:02}": 60_000 * (count - number) for number in range(count)},
        capacities={f"r{number:02}": 2_000 * (count - number) for number in range(count)},
    )


def charges() -> list[ChargeRow]:
    """Of one of two models in USD, of the only one in CNY, and of what no price fits."""
    none = (Decimal(0), Decimal(0), 5, Decimal(0))
    luna = (Decimal(12), Decimal("1234.5"), 10**9, Decimal(1_000))
    flash = (Decimal(70), Decimal(900), 10**9, Decimal(900))
    return [
        ChargeRow("USD", "gpt-5.6", *luna, Decimal(20), Decimal(2_000), 2 * 10**9, Decimal(1_800)),
        ChargeRow("CNY", "deepseek-flash", *flash, *flash),
        ChargeRow("", "mystery", *none, *none),
    ]


# Wrong numbers that were shown once.


def test_above_eight_regions_each_has_its_load_and_none_is_silent(show: Show) -> None:
    page = show(many_regions())
    found = rows(page, "regions-table")
    assert [row[0] for row in found] == [f"r{number:02}" for number in range(12)]
    assert "silent" not in json.dumps(found)
    assert [row[1] for row in found[:2]] == ["12.0 k", "11.0 k"]
    assert found[11][1] == "1.00 k"
    assert {row[2] for row in found} == {"50 %"}
    assert text(page, "use") == "50.0 %"
    assert text(page, "use-note") == "of 156 k tokens/s"
    labels = page.evaluate("document.getElementById('load-chart').getAttribute('aria-label')")
    assert "5 others 15.0 k" in labels


def test_a_region_with_no_usage_now_is_silent_and_its_capacity_is_there_still(show: Show) -> None:
    scene = many_regions(2)
    made = scene.document().sections["load"]
    load = replace(
        made.data,
        region_interval_end={**made.data.region_interval_end, "r01": NOON - 600},
        region_tokens_per_second={**made.data.region_tokens_per_second, "r01": 0.0},
    )
    scene.other["load"] = Section(load, scene.now)
    page = show(scene)
    assert [row[:3] for row in rows(page, "regions-table")] == [
        ["r00", "2.00 k", "50 %"],
        ["r01", "silent", "–"],
    ]
    assert text(page, "use") == "33.3 %"


def test_a_load_that_cannot_be_read_is_not_silence(show: Show) -> None:
    scene = many_regions(2)
    scene.other["load"] = Section(None, None, "no answer within 5 s", NOON)
    page = show(scene)
    found = rows(page, "regions-table")
    assert [row[1] for row in found] == ["–", "–"]
    assert text(page, "state") == "No readings"
    assert text(page, "use") == "–"


def test_a_region_without_capacity_or_with_none_has_no_use(show: Show) -> None:
    page = show(Scene(capacities={"eu": 0}))
    assert [row[2] for row in rows(page, "regions-table")] == ["–", "–"]
    assert (text(page, "use"), text(page, "use-note")) == ("–", "no capacity known")
    assert "Infinity" not in str(page.evaluate("document.body.innerText"))


def test_a_region_may_be_called_other_regions(show: Show) -> None:
    scene = many_regions()
    scene.regions["other regions"] = 999_999
    page = show(scene)
    found = {row[0]: row[1] for row in rows(page, "regions-table")}
    assert found["other regions"] == "16.7 k"
    assert len(found) == 13


def test_in_the_first_quarter_of_an_hour_the_figures_agree(show: Show) -> None:
    """Of a day: no block has closed, but there is load, and so there are tokens and a peak."""
    page = show(Scene(now=DAY + 7 * 60 + 30.0))
    assert title(page, "load-now") == title(page, "peak") == "1,500 tokens/s"
    assert title(page, "tokens-today") == f"{7 * 90_000:,} tokens"
    assert text(page, "tokens-today-note") == "until 00:07"
    assert (text(page, "load-factor"), text(page, "load-factor-note")) == (
        "–",
        "from 00:15 on, when a block closes",
    )
    assert text(page, "day-readout") == "the first block closes at 00:15"
    assert [row[3] for row in rows(page, "regions-table")] == ["–", "–"]


def test_in_the_first_quarter_of_an_hour_of_an_installation(show: Show) -> None:
    page = show(Scene(began=NOON, now=NOON + 6 * 60 + 10.0))
    assert title(page, "load-now") == title(page, "peak") == "1,500 tokens/s"
    assert title(page, "tokens-today") == f"{6 * 90_000:,} tokens"
    assert (text(page, "load-factor"), text(page, "load-factor-note")) == (
        "–",
        "from 12:15 on, when a block closes",
    )


def test_before_the_first_minute_of_a_day_has_closed(show: Show) -> None:
    page = show(Scene(now=DAY + 30.0))
    assert (text(page, "tokens-today"), text(page, "peak")) == ("–", "–")
    assert text(page, "peak-note") == "the first minute runs"
    assert text(page, "load-now-note") == "minute 23:59"
    assert [row[1] for row in rows(page, "regions-table")] == ["1.00 k", "500"]


def test_one_block_says_nothing_of_a_month(show: Show) -> None:
    scene = Scene()
    period = scene.document().sections["period"].data
    young = replace(period.regions[0], one_block=True, reserve_margin=4_711.0, load_factor=0.001)
    scene.other["period"] = Section(replace(period, regions=[young, period.regions[1]]), NOON)
    page = show(scene)
    assert [row[4:] for row in rows(page, "regions-table")] == [["–", "–"], ["61 %", "12 %"]]


def test_no_tokens_at_all(show: Show) -> None:
    page = show(Scene(regions={"eu": 0}))
    assert (text(page, "load-now"), text(page, "peak"), text(page, "tokens-today")) == (
        *("0", "0", "0"),
    )
    assert not re.search(r"NaN|Infinity|undefined", str(page.evaluate("document.body.innerText")))
    assert page.problems == []


def test_an_empty_installation_says_what_comes_next(show: Show) -> None:
    page = show(Scene(regions={}, links=Links("", RUNBOOK)), ready="#health-table")
    assert text(page, "state") == "Nothing metered yet"
    assert "wattoken simulate" in text(page, "alert")
    assert page.evaluate("document.querySelector('#runbook a').hash") == "#is-it-metering"
    assert not re.search(r"NaN|Infinity|undefined", str(page.evaluate("document.body.innerText")))


# Looking at other stretches, and at parts.


def test_a_range_is_chosen_shared_and_taken_back(show: Show) -> None:
    scene = many_regions()
    page = show(scene)
    page.evaluate("document.querySelector('#ranges a:nth-child(3)').click()")
    page.wait_for("document.getElementById('load-title').textContent === 'Tokens by region'")
    assert page.evaluate("location.search") == "?range=7d"
    assert any("last=7d" in asked for asked in scene.asked)
    page.evaluate("history.back()")
    page.wait_for("document.getElementById('load-title').textContent === 'Load by region'")
    assert page.evaluate("location.search") == ""
    assert page.problems == []


def test_a_number_leads_to_its_series(show: Show) -> None:
    page = show(Scene(charges=charges()), "?region=eu&lang=en")
    page.evaluate("document.querySelector('#spend-today').closest('a').click()")
    page.wait_for("document.getElementById('load-title').textContent === 'Spend by model'")
    assert page.evaluate("location.search") == "?lang=en&range=24h&by=model&measure=spend"
    page.evaluate("document.querySelector('#load-now').closest('a').click()")
    page.wait_for("document.getElementById('load-title').textContent === 'Load by region'")


def test_a_click_filters_and_another_takes_it_back(show: Show) -> None:
    scene = many_regions(2)
    page = show(scene)
    page.evaluate("document.querySelector('#regions-table a').click()")
    page.wait_for("document.getElementById('load-title').textContent === 'Tokens by model'")
    assert page.evaluate("location.search") == "?region=r00&by=model"
    page.wait_for("document.querySelectorAll('#load-table tbody tr').length === 2")
    assert any("region=r00" in asked and "by=model" in asked for asked in scene.asked)
    page.evaluate("document.querySelector('#load-table a').click()")
    page.wait_for("location.search.includes('model=gpt-5.6')")
    page.evaluate("document.querySelector('#chips a').click()")
    page.wait_for("!location.search.includes('region=')")
    assert "model=gpt-5.6" in page.evaluate("location.search")


def test_a_link_shows_what_was_shared(show: Show) -> None:
    scene = Scene()
    query = "?from=2026-03-14T00:00Z&to=2026-03-15T00:00Z&model=gpt-5.6&measure=requests"
    page = show(scene, query)
    page.wait_for("document.getElementById('load-title').textContent === 'Requests by region'")
    assert page.evaluate("document.getElementById('span-from').value") == "2026-03-14T00:00"
    assert page.evaluate("document.getElementById('measure').value") == "requests"
    assert text(page, "chips").startswith("Model: gpt-5.6")


def test_what_cannot_be_asked_is_said(show: Show) -> None:
    page = show(Scene(), "?from=soon")
    page.wait_for("!document.getElementById('history-trouble').hidden")
    assert "from: is a time such as" in text(page, "history-trouble")
    assert text(page, "state") == "Live"


def test_ten_thousand_names_are_found_by_typing(show: Show) -> None:
    scene = Scene(names=[f"model-{number:05}" for number in range(10_000)])
    page = show(scene, "?by=model&range=24h")
    page.wait_for("document.querySelectorAll('#load-table tbody tr').length === 200")
    assert "the first 200 of 10,000" in text(page, "load-table-title")
    page.evaluate("document.getElementById('find').focus()")
    page.call("Input.insertText", text="07777")
    page.wait_for("document.querySelectorAll('#found option').length === 1")
    page.press("Enter")
    page.wait_for("location.search.includes('model=model-07777')")
    assert page.problems == []


# Money, alerts, links.


def test_each_currency_for_itself(show: Show) -> None:
    page = show(Scene(charges=charges()))
    assert (text(page, "spend-today"), text(page, "spend-today-unit")) == ("20.00", "USD")
    assert text(page, "spend-today-note") == "CNY 70.00"
    assert text(page, "spend-hint") == "USD 2.00 k · CNY 900.00"
    assert rows(page, "spend-table") == [
        ["gpt-5.6", "USD 1.23 k", "USD 1", "61.7 %"],
        ["deepseek-flash", "CNY 900.00", "CNY 0.9", "100.0 %"],
    ]
    assert text(page, "spend-unpriced") == "5 tokens without a price"


def test_electricity_is_a_range_and_what_is_not_known_is_not_0(show: Show) -> None:
    unknown = (None, None, None)
    rated = ElectricityRow(
        *("eu", 1_000, 250, (1.0, 2.0, 3.0), (400.0, 800.0, 1_200.0)),
        *(unknown, (50.0, 50.0, 50.0)),
    )
    nothing = ElectricityRow("cn", 9, 9, unknown, unknown, unknown, unknown)
    page = show(Scene(electricity=[nothing, rated]))
    assert text(page, "electricity-hint") == "1 – 3 kWh since 1 Mar"
    assert rows(page, "electricity-table") == [
        ["eu", "1 – 3", "0.40 – 1.20", "–", "0.05", "25.0 %"],
        ["cn", "–", "–", "–", "–", "100.0 %"],
        ["System", "1 – 3", "0.40 – 1.20", "–", "0.05", "25.7 %"],
    ]
    assert "Not in it: input, prefill, caches" in text(page, "electricity-ignores")


def test_spend_is_in_a_currency_that_there_is(show: Show) -> None:
    scene = Scene(charges=charges()[1:])
    page = show(scene, "?range=7d&measure=spend")
    page.wait_for("document.getElementById('load-title').textContent === 'Spend by region'")
    eventually = "document.getElementById('load-readout').textContent.includes('CNY')"
    page.wait_for(eventually)
    assert page.evaluate("document.getElementById('currency').hidden") is True
    page = show(Scene(charges=charges()), "?range=7d&measure=spend")
    page.wait_for("!document.getElementById('currency').hidden")
    page.evaluate(
        "(c => { c.value = 'CNY'; c.dispatchEvent(new Event('change')); })"
        "(document.getElementById('currency'))"
    )
    page.wait_for("location.search.includes('currency=CNY')")
    page.wait_for(eventually)


def test_a_clock_that_is_ahead_makes_no_meter_fresh(show: Show) -> None:
    scene = Scene()
    health = replace(
        scene.document().sections["health"].data,
        newest_event=scene.now + 240,
        last_append=scene.now - 250,
    )
    scene.other["health"] = Section(health, scene.now)
    page = show(scene)
    page.wait_for("document.querySelector('#health-table .warn') !== null")
    assert rows(page, "health-table")[0][1] == "4 min"


def test_alerts_are_there_where_prometheus_is(show: Show) -> None:
    scene = Scene()
    page = show(scene)
    assert page.evaluate("document.getElementById('alerts').hidden") is True
    alert = Alert(
        *("WattokenLagGrowing", "critical", "<b>Lag</b> grows.", NOON - 60.0),
        *({"region": "eu"}, f"{RUNBOOK}#lag-is-growing"),
    )
    scene.other["alerts"] = Section(Alerts([alert], 1, 2), NOON)
    page.wait_for("!document.getElementById('alerts').hidden")
    assert text(page, "alerts-hint") == "1 firing · 2 pending"
    assert "<b>Lag</b> grows." in text(page, "alerts-list")
    link = page.evaluate("document.querySelector('#alerts-list a').href")
    assert link == f"{RUNBOOK}#lag-is-growing"


def test_links_to_grafana_and_to_what_the_runbook_says(show: Show) -> None:
    scene = Scene(links=Links("https://grafana.example/", RUNBOOK))
    health = scene.document().sections["health"]
    scene.other["health"] = failed(health, "refused", NOON)
    page = show(scene)
    found = page.evaluate("[...document.querySelectorAll('header a, #runbook a')].map(a => a.href)")
    assert "https://grafana.example/" in found
    assert f"{RUNBOOK}#the-meter-is-down" in found


# Languages, the wall, and everybody.


def test_everything_is_said_in_both_languages(show: Show) -> None:
    page = show(Scene(), "?lang=zh")
    keys = page.evaluate(
        "Promise.all(['en', 'zh'].map(l => import(`/control-room/assets/words-${l}.js`)))"
        ".then(all => all.map(({ words }) => Object.entries(words).map(([key, text]) =>"
        " [key, (text.match(/{\\w+}/g) ?? []).toSorted().join()])))"
    )
    english, chinese = ({key: braces for key, braces in words} for words in keys)
    assert english.keys() == chinese.keys()
    for key, braces in chinese.items():
        # A text may leave out what its language has in another word, but has nothing of its own.
        assert set(filter(None, braces.split(","))) <= set(english[key].split(",")), key


def test_chinese_has_no_english_left_in_it(show: Show) -> None:
    page = show(Scene(charges=charges()), "?lang=zh&range=24h")
    page.wait_for("document.getElementById('load-title').textContent.includes('按区域')")
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    said = page.evaluate(
        "[...document.querySelectorAll('body *')].filter(e => e.checkVisibility())"
        ".flatMap(e => [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.data)"
        ".concat([e.title, e.ariaLabel, e.placeholder])).filter(Boolean)"
    )
    names = (
        r"Wattoken|Grafana|English|UTC|JSON|Prometheus|/metrics|/readyz|token|JavaScript|exporter"
        r"|USD|CNY|DeepSeek|OpenAI|gpt-5.6|deepseek-flash|too_old|\beu\b|\bus\b|CN|US|ISO"
        r"|kWh|kg CO₂e|CO2e|kg|EcoLogits"
    )
    left = {one for one in said if re.search(r"[A-Za-z]{2,}", re.sub(names, "", one))}
    assert left == set()
    assert text(page, "tokens-today") == "6,489 万"


def test_the_browsers_language_unless_the_address_says_otherwise(show: Show) -> None:
    assert text(show(Scene()), "state") == "Live"
    page = show(Scene(), "?lang=xx")
    assert text(page, "state") == "Live"


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (3840, 2160), (1366, 768)])
def test_the_wall_fits_and_is_large(show: Show, width: int, height: int) -> None:
    page = show(many_regions(), "?view=kiosk", width, height)
    assert page.evaluate("document.documentElement.scrollHeight") <= height
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    of_digits = "getComputedStyle(document.getElementById('load-now')).fontSize"
    size = float(page.evaluate(f"parseFloat({of_digits})"))
    assert size >= width / 40, "a metre wide, such a digit is 2.5 cm: read from five metres"
    cut = page.evaluate(
        "[...document.querySelectorAll('.key b, .key h2')]"
        ".filter(e => e.checkVisibility() && e.getBoundingClientRect().right >"
        " e.closest('.key').getBoundingClientRect().right).map(e => e.id)"
    )
    assert cut == []


#: The page in all its shapes: query, width, height, dark.
SHAPES = [
    ("", 1440, 1000, False),
    ("", 1440, 1000, True),
    ("?range=7d&by=model&region=eu", 1440, 1000, False),
    ("?view=kiosk", 1920, 1080, False),
    ("?view=kiosk&lang=zh", 1920, 1080, True),
    ("?lang=zh", 375, 812, False),
]


@pytest.mark.parametrize(("query", "width", "height", "dark"), SHAPES)
def test_nothing_keeps_anybody_out(
    show: Show, query: str, width: int, height: int, dark: bool
) -> None:
    """axe-core finds no violation."""
    try:
        axe = axe_script(print)
    except ComponentMissing as error:
        missing(error)
    scene = Scene(charges=charges(), links=Links("https://grafana.example", RUNBOOK))
    alert = Alert("WattokenLagGrowing", "critical", "Lag grows.", NOON - 60.0, {}, RUNBOOK)
    scene.other["alerts"] = Section(Alerts([alert], 1, 0), NOON)
    page = show(scene, query, width, height)
    page.look(width, height, dark=dark)
    page.wait_for("[...document.querySelectorAll('.trouble')].every(line => line.hidden)")
    page.evaluate("document.querySelectorAll('details:not(.span)').forEach(one => one.open = true)")
    time.sleep(0.3)  # the curves take their new colours
    # Injected by the debugger: the page's own policy would refuse it.
    page.evaluate(f"{axe}; undefined")
    found: list[Any] = page.evaluate(
        "axe.run(document).then(({ violations }) => violations.map(one =>"
        " [one.id, one.nodes.map(node => [node.target.join(' '), node.failureSummary])]))"
    )
    assert found == []


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_no_scrolling_sideways_on_a_phone(show: Show, lang: str) -> None:
    page = show(many_regions(), f"?lang={lang}&region=a-very-long-name-{'x' * 80}", 320, 700)
    page.wait_for("document.getElementById('chips').children.length > 0")
    assert page.evaluate("window.innerWidth") == 320
    assert page.evaluate("document.documentElement.scrollWidth") == 320
