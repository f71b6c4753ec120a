"""The control room's figures: read side by side on demand, shared by all who look."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

import msgspec
from clickhouse_connect.driver.client import Client

from services.exporter.control_room import figures, makers, queries, totals
from services.exporter.control_room.alerts import alerts_reader
from services.exporter.control_room.document import Document, Links, Section
from services.exporter.control_room.electricity import electricity
from services.exporter.control_room.electricity_queries import read_electricity
from services.exporter.control_room.money import spend
from services.exporter.control_room.money_queries import read_charges
from services.exporter.control_room.rows import Window
from services.exporter.control_room.section import KEEP_SECONDS, Group
from services.exporter.control_room.verdict import judge
from services.exporter.queries import read_checkpoints
from services.exporter.rows import CheckpointRow, LogEnds
from services.exporter.settings import ExporterSettings
from services.exporter.sources import ClickHouseReader, KnownSuccessions, LogEndsReader

T = TypeVar("T")
Reader = Callable[[Client, Window], Sequence[T]]
Figure = Callable[[Sequence[T], Window], Any]

#: Limit of the queries over days and weeks, which hold nobody up.
UNHURRIED_SECONDS: Final = 20.0
#: And how long their answers are good for.
UNHURRIED_KEEP_SECONDS: Final = 5.0
#: Groups whose first figures come when they come, and hold no other up.
SLOW: Final = frozenset({"spend", "electricity"})
#: Charges and electricity are worked out from all hours of the month when they are asked for.
SPEND_KEEP_SECONDS: Final = 30.0
#: The catalogue changes when somebody stores another.
CATALOGUE_KEEP_SECONDS: Final = 60.0
#: Figures that are there already are not held up longer than this by those that are renewed.
RENEWAL_WAIT_SECONDS: Final = 0.3


@dataclass(frozen=True, slots=True)
class Answer:
    """The document as JSON, plain and packed; made once for all who share it."""

    body: bytes
    packed: bytes


class ControlRoom:
    """Makes the document of now. Not thread-safe: for one event loop.

    Each group of figures has a query, a connection and a failure of its own: a view that is
    missing or slow takes only its panel away.
    """

    def __init__(self, settings: ExporterSettings, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._first_wait_seconds = settings.exporter_timeout_seconds
        unhurried = settings.model_copy(update={"exporter_timeout_seconds": UNHURRIED_SECONDS})

        def group(
            name: str,
            read: Reader[T],
            figure: Figure[T],
            limits: ExporterSettings,
            keep_seconds: float = UNHURRIED_KEEP_SECONDS,
        ) -> Group:
            def read_now(client: Client) -> Any:
                window = figures.window_of(clock())
                return figure(read(client, window), window)

            reader = ClickHouseReader(limits, read_now)
            return Group(name, reader, limits.exporter_timeout_seconds, clock, keep_seconds)

        def alone(figure: Callable[[Sequence[T]], Any]) -> Figure[T]:
            return lambda rows, window: figure(rows)

        meters = alone(totals.meters)
        self._load = group("load", queries.read_load, figures.load, settings, KEEP_SECONDS)
        self._day = group("day", queries.read_day, figures.day_minutes, unhurried)
        self._groups = [
            group("registers", queries.read_registers, meters, settings, KEEP_SECONDS),
            group("today", queries.read_today, figures.today, unhurried),
            group("period", queries.read_period, alone(figures.period), unhurried),
            group(
                *("capacity", queries.read_capacities, alone(figures.capacities)),
                *(unhurried, CATALOGUE_KEEP_SECONDS),
            ),
            group("mix", queries.read_mix, alone(makers.mix), unhurried),
            group("league", queries.read_league, alone(makers.league), unhurried),
            group("models", queries.read_models, alone(makers.models), unhurried),
            group("spend", read_charges, spend, unhurried, SPEND_KEEP_SECONDS),
            group("electricity", read_electricity, electricity, unhurried, SPEND_KEEP_SECONDS),
        ]
        self._links = Links(settings.exporter_grafana_url, settings.exporter_runbook_url)
        if settings.exporter_prometheus_url:
            seconds = settings.exporter_timeout_seconds
            firing = alerts_reader(
                settings.exporter_prometheus_url, settings.exporter_runbook_url, seconds
            )
            self._groups.append(Group("alerts", firing, seconds, clock, UNHURRIED_KEEP_SECONDS))
        limit = settings.exporter_timeout_seconds
        successions = KnownSuccessions()
        checkpoints = ClickHouseReader(settings, successions.read_with(read_checkpoints))
        self._checkpoints = Group("health", checkpoints, limit, clock)
        self._log = Group("log", LogEndsReader(settings, successions), limit, clock)
        self._answer: Answer | None = None
        self._made_at = 0.0
        self._under_way: asyncio.Task[Answer] | None = None

    async def answer(self) -> Answer:
        """Give the document of now, or the one of a moment ago. Never raises.

        Waits up to the exporter's timeout for groups that were never read, for others a moment.
        """
        if self._answer is not None and time.monotonic() - self._made_at < KEEP_SECONDS:
            return self._answer
        if self._under_way is None or self._under_way.done():
            self._under_way = asyncio.create_task(self._make())
        # Shielded: a viewer that goes away must not take the answer from the others.
        return await asyncio.shield(self._under_way)

    async def _make(self) -> Answer:
        begun = time.monotonic()
        groups = [self._load, self._day, *self._groups, self._checkpoints, self._log]
        first: list[asyncio.Task[None]] = []
        again: list[asyncio.Task[None]] = []
        for group in groups:
            task = group.renew()
            if task is not None:
                # Nobody waits for what takes seconds where there are many series.
                (again if group.tried or group.name in SLOW else first).append(task)
        if again:
            await asyncio.wait(again, timeout=RENEWAL_WAIT_SECONDS)
        if first:
            await asyncio.wait(first, timeout=self._first_wait_seconds)
        self._made_at = begun
        self._answer = await asyncio.to_thread(_encode, self._document())
        return self._answer

    def _document(self) -> Document:
        now = self._clock()
        sections = self._newest()
        sections |= {group.name: group.section for group in self._groups}
        ends: LogEnds | None = None
        if self._log.section.error is None:
            ends = self._log.section.data
        checkpoints = self._checkpoints.section
        rows: Sequence[CheckpointRow] | None = checkpoints.data
        health = None if rows is None else totals.health(rows, ends)
        sections["health"] = replace(checkpoints, data=health)
        return Document(now, judge(sections, now), sections, links=self._links)

    def _newest(self) -> dict[str, Section]:
        """Load and day, made of the same minutes as far as both have them."""
        minutes, older = self._load.section, self._day.section
        newest: figures.Minutes | None = minutes.data
        return {
            "load": replace(minutes, data=None if newest is None else newest.load),
            "day": replace(older, data=figures.day(older.data, newest)),
        }


def _encode(document: Document) -> Answer:
    body = msgspec.json.encode(document)
    return Answer(body, gzip.compress(body, compresslevel=1))
