"""`wattoken up`: the whole stack in the foreground, until Ctrl-C."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import get_args

from services.local_stack.infrastructure import BrokerName, Infrastructure
from services.local_stack.pipeline import Pipeline
from services.local_stack.revival import Revival
from services.platform import output
from services.platform.errors import ConfigurationError
from services.platform.stack_here import FOLDER, remove_env_file, write_env_file

WATCH_SECONDS = 0.5


def run(
    *, broker: str, state_dir: Path | None, keep_data: bool, partitions: int, canary: bool = False
) -> None:
    """Start everything, say where it is, and keep it running until a signal ends it.

    Raises `ConfigurationError` for an unknown broker, `StackError` when something does not start.
    """
    requested = next((name for name in get_args(BrokerName) if name == broker), None)
    if requested is None:
        raise ConfigurationError(f"--broker must be auto, kafka or tansu, not {broker!r}")
    infrastructure = Infrastructure(
        state_dir or new_state_dir(FOLDER),
        broker=requested,
        usual_ports=True,
        # Who names a folder wants what is in it.
        keep_data=keep_data or state_dir is not None,
        report=say,
    )
    say(f"logs: {infrastructure.logs}")
    with ended_by_signals(), suppress(KeyboardInterrupt), infrastructure:
        pipeline = Pipeline(
            infrastructure,
            partitions=partitions,
            canary=canary,
            usual_names=True,
            usual_ports=True,
            report=say,
        )
        with pipeline, said_to_shells(pipeline) as env_file:
            say(guide(pipeline, env_file))
            watch(pipeline)


@contextmanager
def said_to_shells(pipeline: Pipeline) -> Iterator[Path]:
    """While inside, a file leads shells, and commands run in this folder, to the pipeline."""
    state_dir = pipeline.infrastructure.state_dir
    try:
        yield write_env_file(state_dir, shell_env(pipeline))
    finally:
        remove_env_file(state_dir)


def shell_env(pipeline: Pipeline) -> dict[str, str]:
    """What leads commands, and the examples of README.md, to a pipeline; with an API key."""
    infrastructure = pipeline.infrastructure
    urls = {f"WATTOKEN_{name.upper()}_URL": url for name, url in pipeline.addresses.items()}
    if infrastructure.prometheus is not None:
        urls["WATTOKEN_PROMETHEUS_URL"] = infrastructure.prometheus_url
    return {
        **pipeline.env,
        **urls,
        "WATTOKEN_CLICKHOUSE_URL": infrastructure.clickhouse_url,
        "KEY": pipeline.credentials[0].key,
    }


def watch(pipeline: Pipeline) -> None:
    """Start again what dies, until interrupted; raises `ChildFailed` for what keeps dying."""
    revival = Revival(say)
    supervisors = (pipeline.infrastructure.supervisor, pipeline.supervisor)
    try:
        while True:
            for supervisor in supervisors:
                revival.revive(supervisor.dead(), time.monotonic())
            time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        say("stopping")
        raise


def guide(pipeline: Pipeline, env_file: Path) -> str:
    """What runs where, and the lines to try."""
    infrastructure = pipeline.infrastructure
    credential = pipeline.credentials[0]
    event = {
        "id": "first-1",
        "source": "my-gateway",
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "provider": "openai",
        "model": "gpt-5",
        "input_tokens": 1200,
        "output_tokens": 340,
    }
    lines = [
        "",
        f"Control room  {pipeline.addresses['exporter']}/",
        "",
        f"Broker      {infrastructure.broker_name} at {infrastructure.bootstrap_servers},"
        f" topic {pipeline.topic}",
        f"ClickHouse  {infrastructure.clickhouse_url}/play, database {pipeline.database}",
        *[f"{service:<12}{url}" for service, url in pipeline.addresses.items()],
        f"Logs        {infrastructure.logs}",
        "",
        "In another shell, so that all commands and examples lead here:",
        f"  source {env_file}",
        f"Send an event (tenant {credential.tenant}, region {credential.region}):",
        f"  curl -i {pipeline.addresses['ingest']}/v1/events"
        f" -H 'Authorization: Bearer {credential.key}'"
        f" -H 'Content-Type: application/json' -d '{json.dumps(event)}'",
        "Query it with SQL:",
        f"  curl '{infrastructure.clickhouse_url}/?database={pipeline.database}'"
        " -d 'SELECT * FROM registers FORMAT Vertical'",
        "See the metrics:",
        f"  curl -s {pipeline.addresses['exporter']}/metrics | grep tokens_total",
    ]
    if infrastructure.prometheus is not None:
        lines[5:5] = [f"Prometheus  {infrastructure.prometheus_url}"]
        lines += [
            "Query it with PromQL:",
            f"  curl -s {infrastructure.prometheus_url}/api/v1/query"
            " --data-urlencode 'query=sum by (region, model) (wattoken_input_tokens_total)'",
        ]
    return "\n".join([*lines, "", "Ctrl-C ends it all."])


def new_state_dir(base: Path) -> Path:
    """A folder of this run's own, named after the time."""
    return base / datetime.now(UTC).strftime("%Y%m%d-%H%M%S")


def say(text: str) -> None:
    """Print a line, or several, at once, also into a pipe."""
    with suppress(BrokenPipeError):
        for line in text.split("\n"):
            output.say(line)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into `KeyboardInterrupt`, so that they too stop in order."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, interrupt) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
