"""What the dashboards' tests look at: weeks of usage, traffic now, and a Prometheus with the rules.

The Prometheus is one of its own: the shared one scrapes others' pipelines and has no past.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlencode

import yaml
from clickhouse_connect.driver.client import Client

from services.local_stack.pipeline import Pipeline
from services.local_stack.ports import LOOPBACK, give_back, pick_port
from services.local_stack.prometheus import RULES, prometheus_plan, write_targets
from services.local_stack.supervisor import Supervisor
from services.platform.settings import KafkaSettings, read_settings
from services.simulator.delivery import now_ms
from services.simulator.fleet import FleetPlan, Ratios
from services.simulator.traffic import Route, send_fleet
from tests.integration.faults import select, wait_until_metered

DAY_SECONDS = 86_400
#: Reaches into three weeks before this one, so a complete week follows a complete week.
PAST = FleetPlan(1, 0, 0.002, 22 * DAY_SECONDS, ratios=Ratios(late=0.0, adjustments=0.02))
#: Enough for every region to have some in each of the last 15-minute blocks.
LAST_HOUR = FleetPlan(
    2, 0, 1.0, 3_000, ratios=Ratios(duplicates=0.05, poison=0.01, too_old=0.002, late=0.0)
)
NOW = FleetPlan(3, 0, 40, 300, poison_straight=0.0)


@dataclass(frozen=True, slots=True)
class Scene:
    """A pipeline at work, and the Prometheus that watches it."""

    pipeline: Pipeline
    prometheus_url: str
    enough: Event
    traffic: Thread

    def end_traffic(self) -> None:
        """Let the fleet stop, and wait until all that it sent is metered."""
        self.enough.set()
        self.traffic.join(60)
        wait_until_metered(self.pipeline)

    def ask(self, path: str, **parameters: str | float) -> Any:
        """Prometheus' answer; fails with its words on a query that it cannot read."""
        url = f"{self.prometheus_url}/api/v1/{path}?{urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None


@contextmanager
def scene_of(pipeline: Pipeline, prometheus: Path, promtool: Path, folder: Path) -> Iterator[Scene]:
    """Fill a pipeline with weeks of usage and keep traffic coming while the block runs."""
    kafka = read_settings(
        KafkaSettings,
        kafka_bootstrap_servers=pipeline.infrastructure.bootstrap_servers,
        kafka_topic=pipeline.topic,
    )
    enough = Event()
    for plan in (PAST, LAST_HOUR):
        _send(plan, Route("kafka", kafka=kafka), enough, paced=False)
    keys = {credential.tenant: credential.key for credential in pipeline.credentials}
    through_ingest = Route("http", url=pipeline.addresses["ingest"], keys=keys)
    traffic = Thread(target=_send, args=(NOW, through_ingest, enough), kwargs={"paced": True})
    wait_until_metered(pipeline)
    with ExitStack() as stack:
        url = stack.enter_context(_prometheus(pipeline, prometheus, promtool, folder))
        scene = Scene(pipeline, url, enough, traffic)
        traffic.start()
        stack.callback(traffic.join, 60)
        stack.callback(enough.set)
        yield scene


def _send(plan: FleetPlan, route: Route, enough: Event, *, paced: bool) -> None:
    span_ms = 0 if paced else int(plan.duration_seconds * 1000)
    plan = replace(plan, start_ms=now_ms() - span_ms)
    if route.keys:
        plan = replace(plan, tenants=tuple(route.keys))
    send_fleet(plan, route, None, paced=paced, stop=enough, progress=lambda tally: None)


@contextmanager
def _prometheus(pipeline: Pipeline, binary: Path, promtool: Path, folder: Path) -> Iterator[str]:
    """Run Prometheus with the recording rules, an earlier week in its store."""
    port = pick_port()
    plan = prometheus_plan(binary, folder, port, folder / "prometheus.log")
    config = json.loads((folder / "prometheus.yml").read_text())
    config["global"]["evaluation_interval"] = "1s"
    config["rule_files"] = [str(path) for path in _quick_rules(folder / "rules")]
    (folder / "prometheus.yml").write_text(json.dumps(config))
    _write_earlier_week(pipeline, promtool, folder)
    write_targets(folder / "targets", pipeline.name, pipeline.ports)
    with ExitStack() as stack:
        stack.callback(give_back, port)
        supervisor = stack.enter_context(Supervisor())
        stack.callback(supervisor.kill)
        supervisor.launch(plan).wait_ready()
        yield f"http://{LOOPBACK}:{port}"


def _quick_rules(folder: Path) -> list[Path]:
    """Copy the rules without the pace that groups set themselves: seconds must do here."""
    folder.mkdir(parents=True, exist_ok=True)
    copies = []
    for path in sorted(RULES.glob("*.y*ml")):
        rules = yaml.safe_load(path.read_text(encoding="utf-8"))
        for group in rules["groups"]:
            group.pop("interval", None)
        copies.append(folder / path.name)
        copies[-1].write_text(yaml.safe_dump(rules))
    return copies


def _write_earlier_week(pipeline: Pipeline, promtool: Path, folder: Path) -> None:
    """Put each origin's tokens of a week ago into the store: half of what they are now."""
    query = "SELECT origin, tokens FROM token_league WHERE week_start = toMonday(now('UTC'))"
    now = dict(select(pipeline, query))
    assert now, "nothing is metered in this week"
    then = int(time.time()) - 7 * DAY_SECONDS
    lines = [
        f'wattoken_week_tokens{{origin="{origin}"}} {tokens / 2} {at}'
        for origin, tokens in now.items()
        for at in range(then - 300, then + 600, 60)
    ]
    earlier = folder / "earlier.om"
    earlier.write_text("\n".join(["# TYPE wattoken_week_tokens gauge", *lines, "# EOF", ""]))
    blocks = ["tsdb", "create-blocks-from", "openmetrics", str(earlier), str(folder / "tsdb")]
    done = subprocess.run([str(promtool), *blocks], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def fill_promql(expression: str, values: dict[str, list[str]]) -> str:
    """Put in what Grafana would: the times, and each variable's values as a pattern."""
    expression = expression.replace("$__rate_interval", "10s").replace("$__range", "1m")
    for name, chosen in values.items():
        expression = expression.replace(f"${name}", f"({'|'.join(chosen)})")
    assert "$" not in expression
    return expression


def choices(client: Client, variable: dict[str, Any], chosen: dict[str, list[str]]) -> list[str]:
    """What a variable of ClickHouse offers, by what was chosen of those before it."""
    asked = fill_sql(variable["query"], chosen, from_time=0, to_time=0)
    return [row[0] for row in client.query(asked).result_rows]


def fill_sql(text: str, values: dict[str, list[str]], *, from_time: int, to_time: int) -> str:
    """Put in what Grafana and its ClickHouse plug-in would: quoted values, and the time shown."""
    for name, chosen in values.items():
        quoted = ",".join("'" + value.replace("'", "''") + "'" for value in chosen)
        text = text.replace(f"${{{name}:singlequote}}", quoted)

    start, end = f"toDateTime({from_time})", f"toDateTime({to_time})"
    days = [f"toDate('{datetime.fromtimestamp(at, UTC):%Y-%m-%d}')" for at in (from_time, to_time)]
    for macro, first, last in (("timeFilter", start, end), ("dateFilter", *days)):
        text = re.sub(rf"\$__{macro}\((\w+)\)", rf"\1 >= {first} AND \1 <= {last}", text)
    text = text.replace("$__fromTime", start).replace("$__toTime", end)
    assert "$" not in text
    return text
