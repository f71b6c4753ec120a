"""How long from ingest's 202 until the event is in the view, under a steady load through ingest."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from bench.errors import BenchError
from bench.ingest_load import ACCEPTED, LoadPlan, LoadResult
from bench.machine import ROOT
from bench.schedule import percentile
from bench.worker import clickhouse_client
from services.local_stack.infrastructure import Infrastructure
from services.local_stack.pipeline import Pipeline

#: A probe is a single event whose provider nobody else has; looked for in `registers`.
PROBES_PER_SECOND = 10.0
POLL_SECONDS = 0.1
WARM_UP_SECONDS = 3.0
LAST_PROBE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Freshness:
    """Percentiles over the probes of one run, and the load they met."""

    p50_seconds: float
    p99_seconds: float
    max_seconds: float
    probes: int
    load_events_per_second: float
    load_refused: int


class Probes:
    """Sends probes and looks for them in the view; each in a thread of its own."""

    def __init__(self, port: int, key: str) -> None:
        self.port = port
        self.key = key
        self.accepted_at: dict[str, float] = {}
        self.visible_at: dict[str, float] = {}

    def send(self, seconds: float) -> None:
        """Send probes one after the other and note when each was accepted."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        started = time.monotonic()
        for number in range(int(seconds * PROBES_PER_SECOND)):
            time.sleep(max(0.0, started + number / PROBES_PER_SECOND - time.monotonic()))
            name = f"probe-{number}"
            event = {
                **{"id": name, "source": "probe", "time": datetime.now(UTC).isoformat()},
                **{"provider": name, "model": "probe", "input_tokens": 1, "output_tokens": 1},
            }
            connection.request("POST", "/v1/events", json.dumps(event), headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status == ACCEPTED:
                self.accepted_at[name] = time.monotonic()
        connection.close()

    def look(
        self, infrastructure: Infrastructure, database: str, sending: threading.Thread
    ) -> None:
        """Look until all accepted probes are seen, or for half a minute after the last."""
        sql = "SELECT provider FROM registers WHERE model = 'probe'"
        deadline = float("inf")
        with closing(clickhouse_client(infrastructure, database)) as client:
            while time.monotonic() < deadline:
                rows = client.query(sql).result_rows
                now = time.monotonic()
                for (name,) in rows:
                    self.visible_at.setdefault(name, now)
                if not sending.is_alive():
                    deadline = min(deadline, now + LAST_PROBE_SECONDS)
                    if self.visible_at.keys() >= self.accepted_at.keys():
                        return
                time.sleep(POLL_SECONDS)

    def delays(self) -> list[float]:
        """Seconds from accepted to visible, by probe; raises `BenchError` when one never came."""
        lost = self.accepted_at.keys() - self.visible_at.keys()
        if lost or not self.accepted_at:
            raise BenchError(f"{len(lost)} of {len(self.accepted_at)} probes never became visible")
        return [self.visible_at[name] - at for name, at in self.accepted_at.items()]


def measure(
    infrastructure: Infrastructure, events_per_second: float, seconds: float, name: str
) -> Freshness:
    """Run ingest and aggregator under this load and measure the probes among it.

    The load's own process shares the machine, so what it reached is part of the result.
    """
    pipeline = Pipeline(
        *(infrastructure, name),
        partitions=4,
        services=("ingest", "aggregator"),
        # Every probe has a provider of its own.
        env={"WATTOKEN_INGEST_KEY_PROVIDERS_MAX": "1000000"},
    )
    with pipeline:
        port = pipeline.ports["ingest"]
        keys = [credential.key for credential in pipeline.credentials]
        plan = LoadPlan(port, keys, events_per_second, WARM_UP_SECONDS + seconds)
        load = subprocess.Popen(
            [sys.executable, "-m", "bench.ingest_load"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert load.stdin is not None
            load.stdin.write(json.dumps(asdict(plan)))
            load.stdin.close()
            load.stdin = None
            time.sleep(WARM_UP_SECONDS)
            probes = Probes(port, keys[0])
            sending = threading.Thread(target=probes.send, args=(seconds,), daemon=True)
            sending.start()
            probes.look(infrastructure, pipeline.database, sending)
            output, _ = load.communicate(timeout=60)
        finally:
            load.kill()
            load.wait()
            with closing(clickhouse_client(infrastructure, "default")) as client:
                pipeline.supervisor.kill()
                # Its merges would run into the next measurement.
                client.command(f"DROP DATABASE `{pipeline.database}` SYNC")
        result = LoadResult(**json.loads(output))
    return summary(probes.delays(), result)


def summary(delays: list[float], load: LoadResult) -> Freshness:
    """What one run comes to."""
    return Freshness(
        percentile(delays, 50),
        percentile(delays, 99),
        max(delays),
        len(delays),
        load.accepted / load.seconds,
        load.refused,
    )
