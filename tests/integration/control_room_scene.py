"""The control room's page over figures that a test makes up: no broker, no database.

What the page does with them is tried in the real browser; that the figures are those of the
database is tried in test_control_room.py.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from services.exporter.control_room import figures, makers, totals
from services.exporter.control_room.document import Document, Health, Links, Section
from services.exporter.control_room.electricity import ElectricityRow, electricity
from services.exporter.control_room.money import ChargeRow, spend
from services.exporter.control_room.questions import BadQuestion, name_question, question
from services.exporter.control_room.rows import (
    LeagueRow,
    MixShare,
    ModelDay,
    RegionBlock,
    RegionCapacity,
    RegionMinute,
    RegionPeriod,
    Registers,
)
from services.exporter.control_room.series import (
    CURVES_MAX,
    RANKING_MAX,
    CurveRow,
    Name,
    Names,
    Ranked,
    series,
)
from services.exporter.control_room.verdict import judge
from services.exporter.control_room.web import PAGE, SECURITY_HEADERS, read_assets

DAY = 1_773_532_800  # 2026-03-15, a Sunday
NOON = DAY + 12 * 3_600


@dataclass
class Scene:
    """What is going on: tokens a minute by region since ``began``, until ``now``."""

    now: float = NOON + 90.0
    began: int = DAY - 86_400
    regions: dict[str, int] = field(default_factory=lambda: {"eu": 60_000, "us": 30_000})
    capacities: dict[str, int] = field(default_factory=lambda: {"eu": 2_000, "us": 1_000})
    charges: list[ChargeRow] = field(default_factory=list)
    #: Sections that a test has made otherwise.
    electricity: list[ElectricityRow] = field(default_factory=list)
    other: dict[str, Section] = field(default_factory=dict)
    links: Links = field(default_factory=Links)
    #: Names of history, most tokens first.
    names: list[str] = field(default_factory=lambda: ["gpt-5.6", "deepseek-flash"])
    asked: list[str] = field(default_factory=list)
    _drawn: dict[str, Section] | None = None

    def document(self) -> Document:
        """The document as the exporter makes it."""
        # The page asks every two seconds, and drawing up two days takes a while.
        if self._drawn is None:
            self._drawn = self._sections()
        sections = self._drawn | self.other
        return Document(self.now, judge(sections, self.now), sections, links=self.links)

    def _sections(self) -> dict[str, Section]:
        window = figures.window_of(self.now)
        minutes = range(max(self.began, window.day_from - 86_400), window.now, 60)
        rows = [
            RegionMinute(minute, region, tokens // 3_000, tokens)
            for region, tokens in self.regions.items()
            for minute in minutes
        ]
        newest = figures.load([row for row in rows if row.minute >= window.load_from], window)
        of_day: dict[int, int] = {}
        blocks: dict[tuple[int, str], int] = {}
        for row in rows:
            if row.minute >= window.day_from:
                of_day[row.minute] = of_day.get(row.minute, 0) + row.tokens
            block = row.minute // 900 * 900
            if block + 900 <= self.now:
                blocks[block, row.region] = blocks.get((block, row.region), 0) + row.tokens
        older = figures.DayMinutes(window.day_from, window.now, of_day)
        given = {
            "load": newest.load,
            "day": figures.day(older, newest),
            "registers": totals.meters(
                [Registers(region, 10**9, 10**15, 10**14) for region in self.regions]
            ),
            "today": figures.today(
                [
                    RegionBlock(at, region, sum_, sum_ / 900)
                    for (at, region), sum_ in blocks.items()
                ],
                window,
            ),
            "period": figures.period(
                [
                    RegionPeriod(
                        *(DAY - 14 * 86_400, region, tokens / 50, 0.61, 0.9),
                        *(self.capacities.get(region), 0.12),
                    )
                    for region, tokens in self.regions.items()
                ]
            ),
            "capacity": figures.capacities(
                [RegionCapacity(region, most) for region, most in self.capacities.items()]
            ),
            "mix": makers.mix(
                [MixShare(DAY, "CN", "DeepSeek", 6 * 10**12), MixShare(DAY, "US", "OpenAI", 10**12)]
            ),
            "league": makers.league(
                [
                    LeagueRow(DAY, "CN", 6, 0.6, 1, 3, 0.123),
                    LeagueRow(DAY, "US", 4, 0.4, 2, 0, -0.05),
                ]
            ),
            "models": makers.models([ModelDay("gpt-5.6", "OpenAI", "US", 9, 10**9, 2 * 10**9)]),
            "spend": spend(self.charges, window),
            "electricity": electricity(self.electricity, window),
            "health": Health(
                "1000", "990", "5", "3", "5", {"too_old": "5"}, self.now - 2, None, "0"
            ),
        }
        return {name: Section(data, self.now) for name, data in given.items()}

    def series(self, pairs: list[tuple[str, str]]) -> Any:
        """History: each name has half of what the one before it has, and never less than 1."""
        asked = question(pairs, figures.window_of(self.now).now)
        amounts = [max(2**40 >> min(at, 40), 1) for at in range(len(self.names))]
        times = range(asked.begin, asked.end, asked.step_seconds)
        together = sum(amounts) * len(times)
        ranked = [
            Ranked(name, amount * len(times), len(self.names), together)
            for name, amount in zip(self.names, amounts, strict=True)
        ]
        rows = [
            CurveRow(at, True, row.name, row.amount // len(times))
            for at in times
            for row in ranked[:CURVES_MAX]
        ]
        rest = sum(amounts[CURVES_MAX:])
        rows += [CurveRow(at, False, "", rest) for at in times if rest]
        return series(asked, ranked[:RANKING_MAX], rows, self.now)

    def answer(self, name: str, pairs: list[tuple[str, str]]) -> Any:
        """What the exporter has at that address."""
        if name == "v1.json":
            return self.document()
        return self.series(pairs) if name == "series.json" else self.found(pairs)

    def found(self, pairs: list[tuple[str, str]]) -> Names:
        """Names that have the text in them."""
        find = name_question(pairs).find
        fits = [name for name in self.names if find.lower() in name.lower()]
        return Names(find, [Name("model", name) for name in fits[:20]])


@contextmanager
def served(scene: Scene) -> Iterator[str]:
    """Serve the page and the scene's figures on loopback; gives the address."""
    assets = read_assets()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            pairs = parse_qsl(address.query)
            name = address.path.rpartition("/")[2]
            try:
                if address.path.endswith(".json"):
                    scene.asked.append(self.path)
                    made = scene.answer(name, pairs)
                    return self.answer(200, "application/json", msgspec.json.encode(made))
            except BadQuestion as error:
                body = json.dumps({"error": str(error), "parameter": error.parameter}).encode()
                return self.answer(400, "application/json", body)
            asset = assets.get(name or PAGE)
            if asset is None:
                return self.answer(404, "text/plain", b"")
            return self.answer(200, asset.media_type, asset.body)

        def answer(self, status: int, media_type: str, body: bytes) -> None:
            self.send_response(status)
            for name, value in SECURITY_HEADERS.items():
                self.send_header(name, value)
            self.send_header("content-type", media_type)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def failed(section: Section, error: str, since: float) -> Section:
    """The section, once it could not be read again."""
    return replace(section, error=error, error_since=since)
