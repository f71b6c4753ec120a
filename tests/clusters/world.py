"""A scenario's world: Kafka clusters, ClickHouse servers, and sites that send and meter."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from services.local_stack.clickhouse import clickhouse_library, clickhouse_plan
from services.local_stack.kafka_cluster import KafkaCluster
from services.local_stack.ports import LOOPBACK, give_back, pick_port
from services.local_stack.processes import Child
from services.local_stack.supervisor import Supervisor
from tests.chaos.database import Database
from tests.clusters.errors import ScenarioError
from tests.clusters.planted import Plant
from tests.clusters.site import Site
from tests.jvm import SHORT_LIVED
from tests.upgrades.shown import rows_shown, shapes_of
from tests.upgrades.sums import Verdict, expected, verdict
from tests.upgrades.trees import TreeError, this_tree

T = TypeVar("T")
POLL_SECONDS: Final = 0.3
DATABASE: Final = "wattoken_clusters"
BUSY: Final = "does not answer"


@dataclass(frozen=True, slots=True)
class Server:
    """A ClickHouse."""

    child: Child
    http_port: int
    tcp_port: int
    database: Database


class World:
    """A context manager; everything in it is gone with it.

    ``patience`` is for how many seconds any one thing may take, ``step`` is told what was reached.
    """

    def __init__(
        self,
        folder: Path,
        *,
        rate: float,
        patience: float,
        step: Callable[[str], None],
        plant: Plant | None = None,
    ) -> None:
        self.folder = folder
        self.rate = rate
        self.patience = patience
        #: After so long a silence workers and brokers lose what they have: what is merely slow, on
        #: a machine that asks for patience, must not.
        self.session_seconds = max(8.0, patience / 15)
        self.plant = plant
        self.step = step
        self.supervisor = Supervisor()
        self.servers: list[Server] = []
        self.sites: list[Site] = []
        #: What no scenario ends by itself must not end by itself.
        self.running: list[Child] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.supervisor)
            # Whatever it ends with, nothing of it is needed any more.
            stack.callback(self.supervisor.kill)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()
        for name in ("kafka", "clickhouse"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def kafka(self, name: str, brokers: int) -> KafkaCluster:
        """Start a Kafka cluster. Raises `ComponentMissing`, `ChildFailed`."""
        cluster = KafkaCluster(
            self.supervisor,
            self.folder / "kafka" / name,
            brokers=brokers,
            name=name,
            env=SHORT_LIVED,
            logs=self.folder,
            session_seconds=self.session_seconds,
            ready_seconds=self.patience,
        )
        self.enter(cluster)
        self.running += cluster.brokers.values()
        return cluster

    def port(self) -> int:
        """A port that is the world's."""
        port = pick_port()
        self._stack.callback(give_back, port)
        return port

    def enter(self, part: AbstractContextManager[T]) -> T:
        """Have something end with the world."""
        return self._stack.enter_context(part)

    def clickhouse(
        self, name: str = "clickhouse", *, ports: tuple[int, int] | None = None, config: str = ""
    ) -> Server:
        """Start a ClickHouse, with a text of configuration if given. Raises as `kafka` does."""
        http_port, tcp_port = ports or (self.port(), self.port())
        data = self.folder / "clickhouse" / name
        data.mkdir(parents=True)
        plan = clickhouse_plan(
            *(clickhouse_library(lambda line: None), data / "data", http_port, tcp_port),
            self.folder / f"{name}.log",
        )
        if config:
            file = data / "config.xml"
            file.write_text(config)
            command = list(plan.command)
            at = next(n for n, part in enumerate(command) if part.startswith("--path="))
            command.insert(at, f"--config-file={file}")
            plan = replace(plan, command=command)
        child = self.supervisor.launch(
            replace(plan, name=name, directory=data, ready_timeout_seconds=self.patience)
        )
        child.wait_ready()
        server = Server(child, http_port, tcp_port, Database(http_port, DATABASE))
        self.servers.append(server)
        self.running.append(child)
        return server

    def site(self, name: str, cluster: KafkaCluster, server: Server) -> Site:
        """Traffic onto a Kafka cluster, and workers that meter it."""
        site = Site(self, name, cluster, server)
        self.sites.append(site)
        return site

    def run(self, env: Mapping[str, str], *arguments: str) -> str:
        """Run a command to its end, again if the machine was busy. Raises `TreeError`."""
        deadline = time.monotonic() + self.patience
        while True:
            try:
                return this_tree().run(dict(env), self.patience, *arguments)
            except TreeError as error:
                # Commands wait ten seconds for an answer, whoever else keeps the machine busy.
                if BUSY not in str(error) or time.monotonic() > deadline:
                    raise

    def kill(self, child: Child) -> None:
        """End a process as a machine that dies does."""
        self.running.remove(child)
        child.kill()

    def stop(self, child: Child) -> None:
        """End a process in order."""
        self.running.remove(child)
        child.stop()

    def again(self, child: Child) -> None:
        """Start a process that was ended, on what it left. Raises `ChildFailed`."""
        child.start()
        child.wait_ready()
        self.running.append(child)

    def wait(self, what: str, check: Callable[[], bool]) -> None:
        """Wait until something is so. Raises `ScenarioError` where it is not in time."""
        deadline = time.monotonic() + self.patience
        while not check():
            self.see_that_all_run()
            if time.monotonic() > deadline:
                tails = "\n".join(child.failure("is running") for child in self.running)
                raise ScenarioError(f"not within {self.patience:g} s: {what}\n{tails}")
            time.sleep(POLL_SECONDS)

    def see_that_all_run(self) -> None:
        """Raise `ScenarioError` where a process ended by itself."""
        for child in self.running:
            if not child.alive:
                raise ScenarioError(child.failure(f"ended with {child.ending} by itself"))

    def compare(self, servers: Sequence[Server] = ()) -> list[Verdict]:
        """End the traffic, wait until all is metered, and hold the views against what was sent.

        A verdict for each server that is asked. Raises `ScenarioError`, `RuntimeError` where a
        sender had faults: what was not acknowledged may be there or not.
        """
        for site in self.sites:
            site.sender.stop()
        for site in self.sites:
            site.metered_to_the_end()
        events = list(chain.from_iterable(site.sender.events for site in self.sites))
        verdicts = []
        for server in servers or self.servers:
            shapes = shapes_of(server.database, DATABASE)
            must = [(shape, expected(shape, events)) for shape in shapes]
            found = {shape.view: rows_shown(server.database, shape) for shape in shapes}
            verdicts.append(verdict(must, found))
        return verdicts

    def clickhouse_env(self, port: int) -> dict[str, str]:
        """What points a command at a ClickHouse."""
        return {
            "WATTOKEN_CLICKHOUSE_HOST": LOOPBACK,
            "WATTOKEN_CLICKHOUSE_PORT": str(port),
            "WATTOKEN_CLICKHOUSE_DATABASE": DATABASE,
            "WATTOKEN_LOG_FORMAT": "json",
        }
