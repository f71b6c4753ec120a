"""Runs traffic: a fleet or a trace, over HTTP or straight onto the topic, with its ledger."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Literal

from services.platform.errors import ConfigurationError, WattokenError
from services.platform.settings import KafkaSettings
from services.simulator import fleet, trace
from services.simulator.delivery import HttpDelivery, Journal, Tally, deliver_straight, now_ms
from services.simulator.fleet import Emission, FleetPlan
from services.simulator.http_sender import HttpSender
from services.simulator.ledger import Ledger, Run
from services.simulator.topic_sender import TopicSender
from services.simulator.trace import Labels, Survey

Via = Literal["http", "kafka"]
Progress = Callable[[Tally], None]


@dataclass(frozen=True, slots=True)
class Route:
    """The way to the log: through ingest at `url` with `keys` by tenant, or with `kafka`.

    With both, what is to go straight (poison that ingest would refuse) does.
    """

    via: Via
    kafka: KafkaSettings | None = None
    url: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    #: Who is trusted to sign ingest's certificate; None for whom this machine trusts.
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a run sent, and under which name it can be sent again."""

    run: Run
    tally: Tally


def send_fleet(
    plan: FleetPlan,
    route: Route,
    ledger: Ledger | None,
    *,
    paced: bool,
    stop: Event,
    progress: Progress,
) -> Delivered:
    """Send what a fleet reports; see `deliver`."""
    run = _begin(ledger, plan.run_id, plan.start_ms)
    journal = Journal(ledger, run, progress)
    deliver(fleet.emissions(plan), route, journal, paced=paced, stop=stop)
    return Delivered(run, journal.tally)


def send_trace(
    survey: Survey,
    labels: Labels,
    route: Route,
    ledger: Ledger | None,
    *,
    run_id: str | None,
    speed: float | None,
    stop: Event,
    progress: Progress,
) -> Delivered:
    """Replay a trace, its last event now; see `deliver`.

    A replay with the ``run_id`` of an earlier one sends the same ids. With the same ledger it
    keeps that one's clock too, so its events are equal wholly.
    """
    run_id = run_id or secrets.token_hex(4)
    start_ms = now_ms()
    run = _begin(ledger, f"{survey.content_hash}-{run_id}", start_ms)
    journal = Journal(ledger, run, progress)
    stream = trace.emissions(survey, labels, run_id, run.anchor_ms, start_ms, speed)
    deliver(stream, route, journal, paced=speed is not None, stop=stop)
    return Delivered(Run(run.number, run_id, run.anchor_ms), journal.tally)


def deliver(
    stream: Iterator[Emission], route: Route, journal: Journal, *, paced: bool, stop: Event
) -> None:
    """Send a stream until all of it is acknowledged or refused, or until ``stop``.

    Raises `ConfigurationError` when key, address or topic is wrong.
    """
    straight = TopicSender(route.kafka, stop) if route.kafka is not None else None
    if route.via == "kafka":
        if straight is None:
            raise ConfigurationError("to send straight onto the topic, Kafka's address is needed")
        deliver_straight(stream, straight, journal, paced=paced, stop=stop)
        return

    async def post() -> None:
        async with HttpSender(route.url, route.keys, ca_file=route.ca_file) as posting:
            await HttpDelivery(posting, straight, journal).run(stream, paced=paced, stop=stop)

    try:
        asyncio.run(post())
    except ExceptionGroup as group:
        ours, _ = group.split(WattokenError)
        if ours is None:
            raise
        raise _first(ours) from None


def _first(group: ExceptionGroup[WattokenError]) -> WattokenError:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, ExceptionGroup) else error


def _begin(ledger: Ledger | None, name: str, anchor_ms: int) -> Run:
    if ledger is None:
        return Run(0, name, anchor_ms)
    return ledger.begin(name, anchor_ms)


def open_ledger(path: Path | None) -> Ledger | None:
    """Open the ledger, where one is wanted."""
    if path is None:
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    return Ledger(path)
