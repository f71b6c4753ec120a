"""The control room in a real Chromium on a real pipeline: right, alive, honest, safe, legible."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from clickhouse_connect.driver.client import Client
from confluent_kafka import Producer

from schemas.identity import identity_hash
from services.local_stack.pipeline import Pipeline
from services.platform.clickhouse import connect
from services.platform.settings import ClickHouseSettings
from tests.integration.conftest import PipelineFactory
from tools.pictures.browser import Browser, Page

#: (region, provider, model, tokens a minute): two origins, one model that no catalogue knows.
LINES = [
    ("cn-north", "deepseek", "deepseek-flash", 70_000),
    ("eu-central", "openai", "gpt-5.6-luna", 31_007),
    ("eu-central", "self-hosted", "others", 9_001),
    ("us-east", "anthropic", "claude-opus-5.5", 20_501),
]
MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>"
LONG = "a-very-long-name-without-any-place-to-break-" + "x" * 80
HEAVY_EVENTS = 101_000
#: The producer holds 100,000 at most.
SENT_AT_ONCE = 20_000
PHONE_WIDTH = 375


class Sender:
    """Puts events on a pipeline's topic, as ingest would."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._topic = pipeline.topic
        servers = pipeline.env["WATTOKEN_KAFKA_BOOTSTRAP_SERVERS"]
        self._producer = Producer(
            {"bootstrap.servers": servers, "partitioner": "murmur2_random", "linger.ms": 20}
        )
        self._number = 0

    def send(self, region: str, provider: str, model: str, tokens: int, at: datetime) -> None:
        self._number += 1
        id_ = f"e{self._number}"
        event = {
            **{"id": id_, "source": "gw", "tenant": "acme", "time": at.isoformat()},
            **{"region": region, "provider": provider, "model": model},
            **{"input_tokens": tokens - tokens // 10, "output_tokens": tokens // 10},
        }
        key = identity_hash("acme", "gw", id_)
        self._producer.produce(self._topic, json.dumps(event).encode(), key)

    def flush(self) -> int:
        """Wait for the broker; returns how many events were sent in all."""
        assert self._producer.flush(30) == 0
        return self._number


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def metering(pipelines: PipelineFactory) -> Pipeline:
    return pipelines(services=("aggregator", "exporter"))


@pytest.fixture(scope="module")
def sender(metering: Pipeline) -> Sender:
    """Two hours of usage that end ten minutes ago, and registers beyond 2^53."""
    sender = Sender(metering)
    end = now() - timedelta(minutes=10)
    for minutes in range(120, -1, -1):
        for region, provider, model, tokens in LINES:
            at = end - timedelta(minutes=minutes)
            sender.send(region, provider, model, tokens + minutes * 11, at)
    for number in range(HEAVY_EVENTS):
        if number % SENT_AT_ONCE == 0:
            sender.flush()
        sender.send("heavy", "p", "heavy", 10**11 - 1, now() - timedelta(days=9))
    # An odd sum, which a float of this size cannot hold.
    sender.send("heavy", "p", "heavy", 10**11 - 2, now() - timedelta(days=9))
    sender.flush()
    return sender


@pytest.fixture(scope="module")
def database(metering: Pipeline) -> Iterator[Client]:
    settings = ClickHouseSettings(
        clickhouse_port=metering.infrastructure.ports.clickhouse_http,
        clickhouse_database=metering.database,
    )
    with closing(connect(settings)) as client:
        yield client


@pytest.fixture(scope="module")
def page(browser: Browser, metering: Pipeline, sender: Sender, database: Client) -> Page:
    """The page over all that was sent; it stays open, so that it has to update by itself."""
    wait_until_metered(database, sender)
    page = browser.new_page()
    page.look(1440, 900)
    page.open(metering.addresses["exporter"] + "/")
    return page


def wait_until_metered(database: Client, sender: Sender) -> None:
    sent = sender.flush()
    deadline = time.monotonic() + 60
    query = "SELECT sum(accepted) FROM checkpoints FINAL"
    while (accepted := database.query(query).result_rows[0][0]) != sent:
        assert time.monotonic() < deadline, f"{accepted} of {sent} metered"
        time.sleep(0.1)


def one(database: Client, query: str) -> Any:
    return database.query(query).result_rows[0][0]


def text(page: Page, id_: str) -> str:
    return str(page.evaluate(f"document.getElementById('{id_}').innerText")).strip()


def title(page: Page, id_: str) -> str:
    return str(page.evaluate(f"document.getElementById('{id_}').title"))


def table(page: Page, id_: str) -> list[list[tuple[str, str]]]:
    """Each row's cells: (text, title)."""
    rows = page.evaluate(
        f"[...document.querySelectorAll('#{id_} tbody tr')].map(row =>"
        " [...row.children].map(cell => [cell.textContent, cell.title]))"
    )
    return [[(cell[0], cell[1]) for cell in row] for row in rows]


def eventually(check: Callable[[], Any], seconds: float = 40.0) -> None:
    """Repeat assertions until they hold: a group of figures is renewed every few seconds."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            check()
            return
        except AssertionError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def register(page: Page, name: str) -> str:
    return str(page.evaluate(f"document.querySelector('#register-{name} .unseen').textContent"))


def test_it_says_that_no_interval_closes(page: Page) -> None:
    page.wait_for("document.documentElement.dataset.state === 'stale'")
    assert text(page, "state") == "Stale"
    alert = text(page, "alert")
    assert alert.startswith("No interval has closed since "), alert
    assert "no usage arrives" in alert
    end = page.evaluate(
        "fetch('/control-room/v1.json').then(a => a.json()).then(d => d.status.since)"
    )
    since = datetime.fromtimestamp(end, UTC)
    assert f"{since:%H:%M:%S} UTC" in alert
    assert timedelta(minutes=9) < now() - since < timedelta(minutes=20)
    assert "ago" in text(page, "load-now-note")


def test_it_comes_alive_when_usage_arrives(page: Page, sender: Sender, database: Client) -> None:
    """Without a reload: the page of the test before, and numbers equal to the views again."""
    page.evaluate("window.notReloaded = true")
    before = register(page, "requests")
    minute = (now() - timedelta(minutes=1)).replace(second=30)
    for region, provider, model, tokens in LINES:
        sender.send(region, provider, model, tokens, minute)
    sender.send("eu-central", LONG, LONG, 250_000, minute)
    sender.send(MARKUP, "p", MARKUP, 100_000, minute)
    wait_until_metered(database, sender)
    page.wait_for("document.documentElement.dataset.state === 'live'")
    requests = one(database, "SELECT sum(requests) FROM registers")
    expected = f"{requests:,} requests"
    assert expected != before
    page.wait_for(
        f"document.querySelector('#register-requests .unseen').textContent === '{expected}'"
    )
    assert page.evaluate("window.notReloaded") is True
    assert page.evaluate("document.getElementById('alert').hidden") is True


def test_registers_equal_the_view_beyond_what_a_float_holds(page: Page, database: Client) -> None:
    total = one(database, "SELECT sum(toUInt128(input_tokens)) FROM registers")
    assert total > 2**53
    assert float(total) != total, "a float would pass this test too"
    assert register(page, "input") == f"{total:,} tokens"
    wheels = page.evaluate(
        "[...document.querySelectorAll('#register-input .wheel')].map(w => w.dataset.digit % 10)"
    )
    assert "".join(str(int(digit)) for digit in wheels) == str(total)
    rows = {row[0][0]: row[1][0] for row in table(page, "registers-table")}
    query = "SELECT region, sum(toUInt128(input_tokens) + output_tokens) FROM registers GROUP BY 1"
    assert rows == {region: f"{tokens:,}" for region, tokens in database.query(query).result_rows}


def test_load_equals_usage_minute(page: Page, database: Client) -> None:
    query = (
        "SELECT region, sum(input_tokens + output_tokens) FROM usage_minute WHERE window_start ="
        " (SELECT max(window_start) FROM usage_minute) GROUP BY region"
    )
    by_region = dict(database.query(query).result_rows)
    system = f"{round(sum(by_region.values()) / 60):,} tokens/s"
    page.wait_for(f"document.getElementById('load-now').title === '{system}'")
    shown = {row[0][0]: row[1][1] for row in table(page, "regions-table")}
    for region, tokens in by_region.items():
        assert shown[region] == f"{round(tokens / 60):,} tokens/s"
    newest = table(page, "load-table")[0]
    assert newest[1][1] == title(page, "load-now")
    assert page.evaluate("document.querySelector('#load-chart canvas').width") > 300


def test_today_equals_the_demand_views(page: Page, database: Client) -> None:
    blocks = database.query(
        "SELECT window_start, sum(demand_tokens_per_second), sum(tokens) FROM region_demand_15m"
        " WHERE complete AND window_start >= toStartOfDay(now('UTC')) GROUP BY 1"
        " ORDER BY 2 DESC, 1"
    ).result_rows
    if not blocks:
        assert text(page, "load-factor") == "–"  # the first quarter of an hour of a day
        return
    total = sum(row[2] for row in blocks)

    def equal() -> None:
        peak = title(page, "peak-note")
        assert peak.startswith(f"{round(blocks[0][1]):,} tokens/s at {blocks[0][0]:%H:%M}"), peak
        factor = total / (len(table(page, "day-table")) * 900) / blocks[0][1]
        assert float(title(page, "load-factor")) == pytest.approx(factor)
        assert text(page, "load-factor") == f"{factor * 100:.1f} %"

    eventually(equal)


def test_the_day_so_far_equals_the_minutes(page: Page, database: Client) -> None:
    def equal() -> None:
        minutes = database.query(
            "SELECT window_start, sum(input_tokens + output_tokens) AS tokens FROM usage_minute"
            " WHERE window_start >= toStartOfDay(now('UTC')) AND window_start <"
            " toStartOfMinute(now('UTC')) GROUP BY 1 ORDER BY tokens DESC, 1"
        ).result_rows
        if not minutes:
            assert text(page, "peak") == "–"  # the first minute of a day
            return
        assert title(page, "tokens-today") == f"{sum(row[1] for row in minutes):,} tokens"
        assert title(page, "tokens-today") != "0 tokens"
        peak = page.evaluate("document.getElementById('peak').title")
        assert peak == f"{round(minutes[0][1] / 60):,} tokens/s"
        assert text(page, "peak-note").startswith(f"{minutes[0][0]:%H:%M}") or "highest minute" in (
            text(page, "peak-note")
        )

    eventually(equal)


def test_the_month_of_a_region_equals_its_view(page: Page, database: Client) -> None:
    query = (
        "SELECT region, load_factor, reserve_margin, tokens / 900 <= peak_demand_tokens_per_second"
        " FROM load_factor WHERE NOT complete"
    )
    month = {row[0]: row[1:] for row in database.query(query).result_rows}

    def equal() -> None:
        shown = {row[0][1]: row for row in table(page, "regions-table")}
        assert set(month) <= set(shown)
        for region, (factor, margin, one_block) in month.items():
            if one_block:
                margin = factor = None  # they are those of one block, which may still run
            assert shown[region][4][0] == ("–" if factor is None else f"{factor * 100:.0f} %")
            assert shown[region][5][0] == ("–" if margin is None else f"{margin * 100:,.0f} %")

    eventually(equal)


def test_mix_and_league_equal_their_views(page: Page, database: Client) -> None:
    week = "(SELECT max(week_start) FROM token_league)"
    league = database.query(
        f"SELECT rank, tokens, share, leading_weeks FROM token_league WHERE week_start = {week}"
        " ORDER BY rank"
    ).result_rows
    mix = database.query(
        f"SELECT author, sum(tokens) FROM generation_mix WHERE week_start = {week}"
        " GROUP BY author, origin ORDER BY 2 DESC, 1"
    ).result_rows
    assert len(league) == 3

    def equal() -> None:
        shown = [
            (row[0][0], row[1][1], row[2][0], row[5][0]) for row in table(page, "league-table")
        ]
        assert shown == [
            (str(rank), f"{tokens:,} tokens", f"{share * 100:.1f} %", f"{wk} wk" if wk else "–")
            for rank, tokens, share, wk in league
        ]
        authors = [(row[0][0], row[3][1]) for row in table(page, "mix-table")]
        assert authors == [(author, f"{tokens:,} tokens") for author, tokens in mix]

    eventually(equal)


def test_models_equal_the_view(page: Page, database: Client) -> None:
    models = database.query(
        "SELECT model, sum(input_tokens + output_tokens), sum(requests) FROM token_density"
        " WHERE window_start >= toStartOfDay(now('UTC')) GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 8"
    ).result_rows
    assert models

    def equal() -> None:
        assert [(row[0][0], row[3][1]) for row in table(page, "models-table")] == [
            (model, f"{tokens:,} tokens, {requests:,} requests")
            for model, tokens, requests in models
        ]

    eventually(equal)


def test_spend_equals_the_charges(page: Page, database: Client) -> None:
    charges = database.query(
        "SELECT model, currency, sum(toDecimal256(assumeNotNull(amount), 15)) AS spent,"
        " sumIf(tokens, entry = 'usage') FROM charge_parts WHERE currency != ''"
        " AND window_start >= toDateTime(toStartOfMonth(now('UTC')), 'UTC') GROUP BY 1, 2"
        " ORDER BY currency != 'USD', currency, spent DESC, model"
    ).result_rows
    assert charges

    def equal() -> None:
        document = page.evaluate("fetch('/control-room/v1.json').then(a => a.json())")
        found = {
            (one["model"], one["currency"]): (Decimal(one["month"]), int(one["tokens"]))
            for one in document["sections"]["spend"]["data"]["models"]
        }
        assert found == {(row[0], row[1]): (row[2], row[3]) for row in charges}
        assert [row[0][0] for row in table(page, "spend-table")] == [row[0] for row in charges]

    # Charges are worked out anew every half a minute.
    eventually(equal, seconds=90)


def asked(page: Page, query: str) -> Any:
    return page.evaluate(
        f"fetch('/control-room/series.json?{query}').then(async a => [a.status, await a.json()])"
    )


def test_history_equals_the_minutes(page: Page, database: Client) -> None:
    status, told = asked(page, "last=3h&by=model&region=eu-central")
    assert status == 200
    span = f"BETWEEN toDateTime({told['begin']}, 'UTC') AND toDateTime({told['end'] - 1}, 'UTC')"
    by_minute = database.query(
        "SELECT toUnixTimestamp(window_start), sum(input_tokens + output_tokens) FROM usage_minute"
        f" WHERE region = 'eu-central' AND window_start {span} GROUP BY 1"
    ).result_rows
    values = dict(zip(told["times"], told["values"], strict=True))
    assert by_minute
    for at, tokens in by_minute:
        assert values[at] == pytest.approx(tokens / 60)
    assert int(told["amount"]) == sum(tokens for _, tokens in by_minute)
    ranking = database.query(
        "SELECT model, toString(sum(input_tokens + output_tokens)) FROM usage_minute"
        f" WHERE region = 'eu-central' AND window_start {span} GROUP BY 1"
        " ORDER BY sum(input_tokens + output_tokens) DESC, 1"
    ).result_rows
    assert [(place["name"], place["amount"]) for place in told["ranking"]] == ranking


@pytest.mark.parametrize("measure", ["tokens", "requests", "failed_requests", "output_tokens"])
def test_history_of_weeks_equals_the_hours(page: Page, database: Client, measure: str) -> None:
    status, told = asked(page, f"last=30d&measure={measure}")
    assert (status, told["step_seconds"]) == (200, 3_600)
    column = "input_tokens + output_tokens" if measure == "tokens" else measure
    query = (
        f"SELECT sum({column}) FROM usage_hour WHERE window_start >="
        f" toDateTime({told['begin']}, 'UTC') AND window_start < toDateTime({told['end']}, 'UTC')"
    )
    assert told["amount"] == str(one(database, query))


def test_spend_of_weeks_equals_the_charges(page: Page, database: Client) -> None:
    _, told = asked(page, "last=30d&measure=spend&by=model")
    begin, end = (f"toDateTime({told[name]}, 'UTC')" for name in ("begin", "end"))
    query = (
        "SELECT sum(toDecimal256(assumeNotNull(amount), 15)) FROM charge_parts"
        f" WHERE window_start >= {begin} AND window_start < {end} AND currency = 'USD'"
    )
    assert Decimal(told["amount"]) == one(database, query)


@pytest.mark.parametrize("name", ["' OR 1=1 --", "\\", "{region:String}", "%", "\N{SNOWMAN}"])
def test_a_name_is_never_a_query(page: Page, name: str) -> None:
    status, told = asked(page, urlencode({"last": "30d", "region": name}))
    assert (status, told["amount"], told["ranking"]) == (200, "0", [])
    found = page.evaluate(
        f"fetch('/control-room/names.json?{urlencode({'find': name})}').then(a => a.json())"
    )
    assert found["names"] == []


def test_names_are_found_by_a_part_of_them(page: Page) -> None:
    found = page.evaluate("fetch('/control-room/names.json?find=GPT-5').then(a => a.json())")
    assert found["names"] == [{"kind": "model", "name": "gpt-5.6-luna"}]


def test_no_tenant_is_ever_told(page: Page) -> None:
    told = page.evaluate("fetch('/control-room/v1.json').then(a => a.text())")
    assert "acme" not in told
    status, refused = asked(page, "by=tenant")
    assert (status, refused["parameter"]) == (400, "by")
    page.problems.clear()  # the console names what was refused


def test_the_pipeline_equals_the_checkpoints(page: Page, database: Client) -> None:
    received, accepted = database.query(
        "SELECT sum(received), sum(accepted) FROM checkpoints FINAL"
    ).result_rows[0]
    page.wait_for("document.querySelector('#health-table').textContent.includes('Lag, records0')")
    shown = {row[0][0]: row[1] for row in table(page, "health-table")}
    assert shown["Received"][1] == f"{received:,} records"
    assert shown["Metered"][1] == f"{accepted:,} events"
    assert shown["Lag, records"][0] == "0"
    assert shown["Duplicates"][0] == "0"


def test_names_are_never_markup(page: Page) -> None:
    names = [row[0][0] for row in table(page, "models-table")]
    assert MARKUP in names
    assert MARKUP in [row[0][0] for row in table(page, "regions-table")]
    assert page.evaluate("document.querySelectorAll('script:not([src])').length") == 0
    assert page.evaluate("document.querySelectorAll('main img').length") == 0
    assert page.problems == []


def test_everything_comes_from_the_exporter_and_the_policy_is_strict(page: Page) -> None:
    elsewhere = page.evaluate(
        "performance.getEntriesByType('resource').map(entry => entry.name)"
        ".filter(name => !name.startsWith(location.origin + '/'))"
    )
    assert elsewhere == []
    refused = page.evaluate(
        "(() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1';"
        " document.body.append(s); s.remove(); return window.ran === undefined; })()"
    )
    assert refused is True
    assert any("Content Security Policy" in problem for problem in page.problems)
    page.problems.clear()


@pytest.mark.parametrize("width", [PHONE_WIDTH, 320])
def test_no_scrolling_sideways_on_a_phone(page: Page, width: int) -> None:
    try:
        page.look(width, 800)
        time.sleep(0.3)  # the charts take their new size
        # A page that is too wide makes a phone zoom out: then more than its width is seen.
        assert page.evaluate("window.innerWidth") == width
        assert page.evaluate("document.documentElement.scrollWidth") == width
        outside = page.evaluate(
            "[...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll, details, "
            f".unseen, .long') && e.getBoundingClientRect().right > {width} + 1)"
            ".map(e => e.tagName + '.' + e.className)"
        )
        assert outside == []
    finally:
        page.look(1440, 900)


def test_numbers_are_written_as_people_read_them(page: Page) -> None:
    said = page.evaluate(
        """
        Promise.all(["format", "odometer"].map(n => import(`/control-room/assets/${n}.js`)))
          .then(([f, o]) => [
            f.full("12345678901234567890"), f.full("999"), f.short("999"), f.short(999499),
            f.short(999500), f.short("1234567"), f.short(0), f.short(null), f.short(0.5),
            f.short("12345678901234567"), f.percent(0.12345), f.percent(null),
            f.clockSeconds(1773576005), f.duration(59), f.duration(3600),
            f.country("CN"), f.country("<b>"),
            o.greater("10", "9"), o.greater("9", "10"), o.greater("18446744073709551615",
            "18446744073709551614"), o.greater("7", "7"),
          ])
        """
    )
    assert said == [
        *("12,345,678,901,234,567,890", "999", "999", "999 k"),
        *("1.00 M", "1.23 M", "0", "–", "0.50"),
        *("12.3 quadrillion", "12.3 %", "–"),
        *("12:00:05", "59 s", "60 min"),
        *("China", "<b>"),
        *(True, False, True, False),
    ]


def test_an_odometer_turns_forward_only(page: Page) -> None:
    shown = page.evaluate(
        """
        import("/control-room/assets/odometer.js").then(({ Odometer }) => {
          const host = document.createElement("dd");
          const meter = new Odometer(host, "tokens");
          const read = () => host.querySelector(".unseen").textContent + " "
            + [...host.querySelectorAll(".wheel")].map(w => w.dataset.digit).join(" ");
          return ["8", "9", "10", "19", "20", "7"].map(v => (meter.show(v), read()));
        })
        """
    )
    # A wheel that passes its 9 goes on to the second 0, drawn below it.
    assert shown == [
        *("8 tokens 8", "9 tokens 9", "10 tokens 1 0", "19 tokens 1 9"),
        *("20 tokens 2 10", "20 tokens 2 10"),
    ]


CONTRAST = """
(() => {
  const channel = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = (css) => {
    const [r, g, b] = css.match(/[\\d.]+/g).map(Number);
    return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  };
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const css = getComputedStyle(e).backgroundColor;
      if (css !== 'rgba(0, 0, 0, 0)') return css;
    }
  };
  const texts = 'h1, h2, b, .note, .hint, .unit, th, td, dt, summary, button, #state, a';
  return [...document.querySelectorAll(texts)]
    .filter((e) => e.innerText?.trim() && e.checkVisibility() && !e.closest('.skip'))
    .map((e) => {
      const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
      return [(a + 0.05) / (b + 0.05), e.id || e.className || e.tagName];
    })
    .sort((x, y) => x[0] - y[0])[0];
})()
"""


def test_light_and_dark_are_both_drawn_and_legible(page: Page) -> None:
    grounds, pictures = set(), set()
    for dark in (False, True):
        page.look(1440, 900, dark=dark)
        time.sleep(0.2)
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        pictures.add(page.evaluate("document.querySelector('#load-chart canvas').toDataURL()"))
        ratio, where = page.evaluate(CONTRAST)
        assert ratio >= 4.5, where
    page.look(1440, 900)
    assert len(grounds) == len(pictures) == 2


def test_the_keyboard_reaches_the_theme_which_stays(page: Page, metering: Pipeline) -> None:
    page.evaluate("document.activeElement.blur()")
    for _ in range(4):
        page.press("Tab")
        if page.evaluate("document.activeElement.id") == "theme":
            break
    assert page.evaluate("document.activeElement.id") == "theme"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    for theme in ("light", "dark"):
        page.press("Enter")
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        assert text(page, "theme") == f"Theme: {theme}"
    page.open(metering.addresses["exporter"] + "/")
    page.wait_for("['live', 'stale'].includes(document.documentElement.dataset.state)")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.evaluate("localStorage.clear()")
    page.evaluate("delete document.documentElement.dataset.theme")
    assert page.problems == []


def test_motion_only_for_those_who_want_it(page: Page) -> None:
    moves = "getComputedStyle(document.querySelector('.wheel .strip')).transitionDuration"
    assert page.evaluate(moves) == "0s"
    page.look(1440, 900, still=False)
    assert page.evaluate(moves) != "0s"
    page.look(1440, 900)


def test_it_says_when_clickhouse_is_away_and_since_when(page: Page, metering: Pipeline) -> None:
    shown = register(page, "input")
    clickhouse = metering.infrastructure.clickhouse
    clickhouse.kill(signal.SIGSTOP)
    try:
        page.wait_for("document.documentElement.dataset.state === 'unavailable'")
        alert = text(page, "alert")
        assert alert.startswith(f"No new readings since {now():%H:}"), alert
        assert register(page, "input") == shown, "the last figures stay"
        # Sections are read one after the other, so the page knows of the first before the others.
        page.wait_for(
            "document.querySelector('[data-section=registers] .trouble')"
            ".innerText.includes('Figures of')"
        )
    finally:
        clickhouse.kill(signal.SIGCONT)
    page.wait_for("document.documentElement.dataset.state !== 'unavailable'")
    assert page.problems == []


def test_it_says_when_the_exporter_is_away_and_comes_back(page: Page, metering: Pipeline) -> None:
    shown = register(page, "input")
    metering.exporter.kill()
    page.wait_for("document.documentElement.dataset.state === 'unreachable'")
    assert text(page, "state") == "Exporter unreachable"
    assert text(page, "alert").startswith(f"The exporter has not answered since {now():%H:}")
    assert register(page, "input") == shown
    metering.exporter.restart()
    page.wait_for(
        "!['unreachable', 'unavailable'].includes(document.documentElement.dataset.state)"
    )
