"""Broker, ClickHouse and Prometheus on one machine, for one or more pipelines."""

from __future__ import annotations

import fcntl
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self

from services.local_stack.cache import Report
from services.local_stack.clickhouse import clickhouse_library, clickhouse_plan
from services.local_stack.errors import ComponentMissing, StackError
from services.local_stack.kafka import kafka_jars, kafka_plan, kafka_version
from services.local_stack.ports import LOOPBACK, give_back, pick_port
from services.local_stack.processes import Child, ChildPlan
from services.local_stack.prometheus import fetch_prometheus, find_prometheus, prometheus_plan
from services.local_stack.supervisor import Supervisor
from services.local_stack.tansu import CAVEAT, TANSU_VERSION, tansu_plan
from services.platform.stack_here import LOCK_FILE

BrokerName = Literal["auto", "kafka", "tansu"]
PrometheusWish = Literal["required", "if-installed", "none"]


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the infrastructure listens, all on loopback."""

    kafka: int
    kafka_controller: int
    clickhouse_http: int
    clickhouse_tcp: int
    prometheus: int


def pick_ports(*, usual: bool) -> Ports:
    """The usual ports where they are free, else others; with ``usual=False`` always others."""
    preferred = (9092, 9093, 8123, 9000, 9090) if usual else (None,) * 5
    return Ports(*(pick_port(port) for port in preferred))


class Infrastructure:
    """Broker, ClickHouse and Prometheus as child processes; a context manager.

    ``state_dir`` gets ``data/`` and ``logs/``; data found there are used again, and deleted at the
    end unless ``keep_data``. ``broker="auto"`` is Apache Kafka where it can be had, else tansu.
    Prometheus is fetched if ``"required"``, only looked for if ``"if-installed"``. ``report`` gets
    a line per step.

    Raises `ComponentMissing` when a program cannot be had, `ChildFailed` when one does not start,
    `StackError` when another supervisor uses the state folder.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        broker: BrokerName = "kafka",
        prometheus: PrometheusWish = "if-installed",
        usual_ports: bool = False,
        keep_data: bool = False,
        report: Report = lambda line: None,
    ) -> None:
        self.state_dir = state_dir.resolve()
        self.logs = self.state_dir / "logs"
        self.data = self.state_dir / "data"
        self.ports = pick_ports(usual=usual_ports)
        self.report = report
        self.broker_name = ""
        self.supervisor = Supervisor()
        self.prometheus: Child | None = None
        self._broker_wish = broker
        self._prometheus_wish = prometheus
        self._keep_data = keep_data
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(_sole_use(self.state_dir))
            if not self._keep_data:
                stack.callback(shutil.rmtree, self.data, ignore_errors=True)
            plans = [self._broker_plan(), self._clickhouse_plan()]
            self.report(f"broker: {self.broker_name}")
            prometheus = self._prometheus_plan()
            if prometheus is not None:
                plans.append(prometheus)
            stack.callback(give_back, *(getattr(self.ports, name) for name in Ports.__slots__))
            stack.enter_context(self.supervisor)
            if not self._keep_data:
                # Kafka takes 5 s to end in order, and there is nothing to save.
                stack.callback(self.supervisor.kill)
            # They do not need each other, so they come up side by side.
            children = {plan.name: self.supervisor.launch(plan) for plan in plans}
            for child in children.values():
                child.wait_ready()
                self.report(f"{child.name}: ready, pid {child.pid}, log {child.plan.log_path}")
            self.broker, self.clickhouse = children[plans[0].name], children["clickhouse"]
            self.prometheus = children.get("prometheus")
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def bootstrap_servers(self) -> str:
        """The broker's address as Kafka clients take it."""
        return f"{LOOPBACK}:{self.ports.kafka}"

    @property
    def clickhouse_url(self) -> str:
        """ClickHouse's HTTP interface."""
        return f"http://{LOOPBACK}:{self.ports.clickhouse_http}"

    @property
    def prometheus_url(self) -> str:
        """Prometheus' API and pages; raises `StackError` when it does not run."""
        if self.prometheus is None:
            raise StackError("Prometheus does not run: it is not installed or was not wanted")
        return f"http://{LOOPBACK}:{self.ports.prometheus}"

    @property
    def prometheus_targets(self) -> Path:
        """Folder whose files name what Prometheus scrapes."""
        return self.data / "prometheus" / "targets"

    @property
    def env(self) -> dict[str, str]:
        """Environment that points any Wattoken command at this broker and this ClickHouse."""
        return {
            "WATTOKEN_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "WATTOKEN_CLICKHOUSE_HOST": LOOPBACK,
            "WATTOKEN_CLICKHOUSE_PORT": str(self.ports.clickhouse_http),
        }

    def _broker_plan(self) -> ChildPlan:
        if self._broker_wish != "tansu":
            try:
                jars = kafka_jars(self.report)
            except ComponentMissing as error:
                if self._broker_wish == "kafka":
                    raise
                self.report(f"{error}\nUsing tansu instead.")
            else:
                self.broker_name = f"Apache Kafka {kafka_version()}"
                ports = (self.ports.kafka, self.ports.kafka_controller)
                return kafka_plan(jars, self.data / "kafka", *ports, self.logs / "kafka.log")
        self.report(CAVEAT)
        self.broker_name = f"tansu {TANSU_VERSION} (in memory)"
        return tansu_plan(self.data / "tansu", self.ports.kafka, self.logs / "tansu.log")

    def _clickhouse_plan(self) -> ChildPlan:
        library = clickhouse_library(self.report)
        ports = (self.ports.clickhouse_http, self.ports.clickhouse_tcp)
        return clickhouse_plan(
            library, self.data / "clickhouse", *ports, self.logs / "clickhouse.log"
        )

    def _prometheus_plan(self) -> ChildPlan | None:
        if self._prometheus_wish == "none":
            return None
        if self._prometheus_wish == "required":
            binary = fetch_prometheus(self.report)
        elif (found := find_prometheus()) is not None:
            binary = found
        else:
            self.report(
                "prometheus: skipped, not installed (`wattoken doctor --machine --fetch` gets it)"
            )
            return None
        log_path = self.logs / "prometheus.log"
        return prometheus_plan(binary, self.data / "prometheus", self.ports.prometheus, log_path)


def _sole_use(state_dir: Path) -> IO[str]:
    """Lock the state folder until the returned file is closed; two brokers would ruin the data."""
    state_dir.mkdir(parents=True, exist_ok=True)
    lock = (state_dir / LOCK_FILE).open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise StackError(
            f"{state_dir} is in use by another stack; give another --state-dir"
        ) from error
    return lock
