"""ClickHouse alone, taking the very rows that the aggregator writes.

A worker meters the topic once, unmeasured, and its inserts are kept as it sends them: slices of all
families in blocks of ClickHouse's Native format, admitted series, checkpoints. Then they are sent
again into fresh tables, `clickhouse_rows` by as many connections as there are cores,
`clickhouse_rows_in_turn` by one, as the worker does. Timed from the first insert to the last
answer; the rate is that of the events which the rows stand for. The tables must then show every
sum of the run.
"""

from __future__ import annotations

import http.client
import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from bench.errors import BenchError
from bench.fill import FilledTopic
from bench.insert_recorder import ANSWER_SECONDS, Insert, InsertRecorder
from bench.processor_time import ProcessorTime, ProcessorWatch
from bench.worker import metering
from services.local_stack.infrastructure import Infrastructure
from services.local_stack.ports import LOOPBACK, give_back, pick_port

PARALLEL: Final = "clickhouse_rows"
IN_TURN: Final = "clickhouse_rows_in_turn"
#: By name: over how many connections.
CONNECTIONS: Final = {PARALLEL: os.cpu_count() or 1, IN_TURN: 1}


@dataclass(frozen=True, slots=True)
class Replay:
    """One time that ClickHouse took the rows."""

    events: int
    seconds: float
    processors: ProcessorTime


def record(infrastructure: Infrastructure, topic: FilledTopic, name: str) -> list[Insert]:
    """What a worker with a fresh database inserts while it meters the topic, in order.

    Raises `BenchError`, `VoidRunError`.
    """
    port = pick_port()
    try:
        with InsertRecorder(port, infrastructure.ports.clickhouse_http) as recorder:
            env = {"WATTOKEN_CLICKHOUSE_PORT": str(port)}
            with metering(infrastructure, topic, name, env) as meter:
                recorder.recording = True
                meter.launch().wait_reading()
                meter.wait_metered(topic.totals.events)
                meter.check(topic.totals)
    finally:
        give_back(port)
    return recorder.inserts


def replay(
    infrastructure: Infrastructure,
    topic: FilledTopic,
    inserts: Sequence[Insert],
    name: str,
    connections: int,
) -> Replay:
    """Send the inserts into fresh tables, which must then show what was produced.

    Raises `BenchError`, `VoidRunError`.
    """
    port = infrastructure.ports.clickhouse_http
    with metering(infrastructure, topic, name) as meter, ProcessorWatch() as watch:
        left = Shared(iter(inserts))
        started = time.time()
        with ThreadPoolExecutor(connections) as pool:
            done = [
                pool.submit(send, left, port, meter.pipeline.database) for _ in range(connections)
            ]
            for each in done:
                each.result()
        ended = time.time()
        processors = watch.between(started, ended)
        meter.check(topic.totals)
        meter.check_sums(topic.grain, topic.sums)
    return Replay(topic.totals.events, ended - started, processors)


class Shared:
    """Hands each insert to one of several threads."""

    def __init__(self, inserts: Iterator[Insert]) -> None:
        self._inserts = inserts
        self._lock = threading.Lock()

    def next(self) -> Insert | None:
        """The next one, None when all are taken."""
        with self._lock:
            return next(self._inserts, None)


def send(inserts: Shared, port: int, database: str) -> None:
    """Send inserts over one connection until none is left. Raises `BenchError`."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=ANSWER_SECONDS)
    with closing(connection):
        while (insert := inserts.next()) is not None:
            query = urlencode({**insert.parameters, "database": database})
            connection.request("POST", f"/?{query}", insert.body, dict(insert.headers))
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != http.client.OK:
                text = said.decode("utf-8", "replace")[:500]
                raise BenchError(f"ClickHouse did not take the rows again: {text}")
