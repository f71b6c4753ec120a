"""Each collector reads its own source; the fresh ones side by side, the others in turns."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import fields, replace
from types import SimpleNamespace
from typing import Any

import pytest

from services.exporter import queries, readings, sources
from services.exporter.metric_definitions import FRESH, KEPT
from services.exporter.readings import Readers, Readings
from services.exporter.sampler import Sample
from services.exporter.settings import ExporterSettings
from services.exporter.sources import GENTLE, KnownSuccessions
from services.platform.errors import UnavailableError
from services.platform.succession import Stretch, Succession

FOLLOWED = Succession("c/b", "b", 2, "c/a", "a", (Stretch(0, 7),))
#: In the order in which they take turns: what is quick does not wait for what is slow.
TURNS = ["demand", "catalogue", "intervals", "bills", "energy", "league", "peaks", "reconciliation"]


class Connection:
    """A connection to a database that lets every setting be set."""

    def __init__(self, timeout_seconds: float) -> None:
        self.timeout_seconds = timeout_seconds
        self.server_settings = dict.fromkeys(GENTLE, SimpleNamespace(readonly=0))
        self.given: dict[str, object] = {}

    def set_client_setting(self, name: str, value: object) -> None:
        self.given[name] = value

    def close(self) -> None:
        pass


class Edges:
    """ClickHouse and Kafka: each reading is its collector's name, and what was read is kept."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.read: list[str] = []
        self.connections: dict[str, Connection] = {}
        self.failing: set[str] = set()
        #: How far back intervals were looked for, each time.
        self.days: list[int] = []
        self._busy = {name: threading.Lock() for name in (*FRESH, "kept")}
        monkeypatch.setattr(sources, "connect", self._connect)
        monkeypatch.setattr(sources, "read_state", lambda _: None)
        monkeypatch.setattr(sources, "read_successions", lambda _: [FOLLOWED])
        for name in ("registers", "checkpoints", *KEPT):
            of = readings if name in ("reconciliation", "energy") else queries
            monkeypatch.setattr(of, f"read_{name}", self._reader(name))
        monkeypatch.setattr(readings, "LogEndsReader", self._log_reader)

    def _connect(self, settings: ExporterSettings) -> Connection:
        return Connection(settings.clickhouse_timeout_seconds)

    def _reader(self, name: str) -> Callable[..., list[str]]:
        def read(connection: Connection, *days: int) -> list[str]:
            self.days += days
            busy = self._busy[name if name in FRESH else "kept"]
            assert busy.acquire(blocking=False), f"{name} is read while another is"
            try:
                self.connections[name] = connection
                self.read.append(name)
                if name in self.failing:
                    raise UnavailableError(f"no {name}")
                return [name]
            finally:
                busy.release()

        return read

    def _log_reader(self, _: ExporterSettings, known: KnownSuccessions) -> Callable[[], object]:
        def read() -> object:
            self.read.append("log")
            # Heard from ClickHouse beside the checkpoints, or this would fail.
            return known.get(10)

        return read


@pytest.fixture
def edges(monkeypatch: pytest.MonkeyPatch) -> Edges:
    return Edges(monkeypatch)


def scrapes(count: int = 1, **settings: Any) -> list[Readings]:
    async def scenario() -> list[Readings]:
        readers = Readers(ExporterSettings(**settings))
        return [await readers.read() for _ in range(count)]

    return asyncio.run(scenario())


def values(found: Readings) -> dict[str, object]:
    return {field.name: getattr(found, field.name).value for field in fields(found)}


def test_each_reading_is_what_its_own_collector_read(edges: Edges) -> None:
    (found,) = scrapes()
    expected = {name: [name] for name in (*FRESH, *KEPT)}
    assert values(found) == {**expected, "log": [FOLLOWED]}


def test_one_that_fails_takes_no_other_away(edges: Edges) -> None:
    edges.failing = {"league", "registers"}
    (found,) = scrapes()
    assert {name for name, value in values(found).items() if value is None} == edges.failing
    assert (found.league.error, found.registers.error) == ("no league", "no registers")


def test_what_somebody_waits_for_has_a_connection_of_its_own_and_the_rest_a_gentle_one(
    edges: Edges,
) -> None:
    scrapes(exporter_timeout_seconds=3.5, exporter_reading_timeout_seconds=20)
    kept = {edges.connections[name] for name in KEPT}
    assert len(kept) == 1
    assert len({*edges.connections.values()}) == 3
    for connection in edges.connections.values():
        assert connection.given == (GENTLE if connection in kept else {})
        assert connection.timeout_seconds == (20 if connection in kept else 4)


def test_the_kept_ones_take_turns_and_the_quick_ones_come_first(edges: Edges) -> None:
    scrapes()
    assert [name for name in edges.read if name in KEPT] == TURNS


def test_the_fresh_ones_are_read_for_every_scrape_and_the_others_when_it_is_time(
    edges: Edges,
) -> None:
    first, second, third = scrapes(3, exporter_refresh_seconds=3600)
    assert values(first) == values(second) == values(third)
    counts = {name: edges.read.count(name) for name in (*FRESH, *KEPT)}
    assert counts == {**dict.fromkeys(FRESH, 3), **dict.fromkeys(KEPT, 1)}


def test_only_the_first_reading_looks_for_regions_that_fell_silent_long_ago(edges: Edges) -> None:
    scrapes(3, exporter_refresh_seconds=0)
    assert edges.days == [queries.INTERVAL_DAYS, 1, 1]


def test_one_that_failed_is_no_first_reading(edges: Edges) -> None:
    edges.failing.add("intervals")
    scrapes(2, exporter_refresh_seconds=0)
    assert edges.days == [queries.INTERVAL_DAYS] * 2


def test_without_rest_all_are_read_for_every_scrape(edges: Edges) -> None:
    scrapes(2, exporter_refresh_seconds=0)
    assert {edges.read.count(name) for name in (*FRESH, *KEPT)} == {2}


@pytest.mark.parametrize(
    ("failing", "answers"),
    [
        ((), True),
        (("registers",), True),
        (("checkpoints",), True),
        (("registers", "checkpoints"), False),
    ],
)
def test_clickhouse_answers_where_anything_was_read_for_the_scrape_itself(
    edges: Edges, failing: tuple[str, ...], answers: bool
) -> None:
    (found,) = scrapes()
    # What was kept from before says nothing about now.
    gone: Sample[Any] = Sample(None, "gone", 0.0)
    errors: dict[str, Any] = dict.fromkeys(failing, gone)
    assert replace(found, **errors).clickhouse_answers == answers
