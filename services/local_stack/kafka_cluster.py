"""Several Kafka brokers as processes on one machine: one cluster, each a controller too."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from services.local_stack.cache import Report
from services.local_stack.kafka import (
    Node,
    broker_plan,
    format_storage,
    kafka_jars,
    new_cluster_id,
    node_properties,
)
from services.local_stack.ports import LOOPBACK, give_back, pick_port
from services.local_stack.processes import Child
from services.local_stack.supervisor import Supervisor


class KafkaCluster:
    """A cluster of ``brokers`` with its data below ``folder``; a context manager.

    Its internal topics have three replicas where there are three brokers, of which two must have
    what is acknowledged, and so has every topic that does not say otherwise. ``env`` is what the
    brokers find in their environment, ``logs`` the folder of their logs. A broker that is silent
    for ``session_seconds`` loses what it leads. Raises `ComponentMissing` when Kafka cannot be had,
    `ChildFailed` when a broker is not ready in time.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        folder: Path,
        *,
        brokers: int = 3,
        name: str = "kafka",
        env: Mapping[str, str] | None = None,
        logs: Path | None = None,
        session_seconds: float = 9.0,
        ready_seconds: float = 90.0,
        report: Report = lambda line: None,
    ) -> None:
        self.name = name
        self.cluster_id = new_cluster_id()
        self.nodes = [Node(number, pick_port(), pick_port()) for number in range(1, brokers + 1)]
        #: By the number of their node.
        self.brokers: dict[int, Child] = {}
        self._supervisor = supervisor
        self._folder = folder
        self._logs = logs or folder
        self._ready_seconds = ready_seconds
        self._session_ms = int(session_seconds * 1000)
        self._env = dict(env or {})
        self._report = report
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for node in self.nodes:
                stack.callback(give_back, node.port, node.controller_port)
            jars = kafka_jars(self._report)
            for node in self.nodes:
                data = self._folder / f"broker-{node.number}"
                text = node_properties(data, node, self.nodes, session_ms=self._session_ms)
                name = f"{self.name}-{node.number}"
                plan = broker_plan(
                    *(name, jars, format_storage(jars, data, text, self.cluster_id)),
                    *(node.port, self._logs / f"{name}.log"),
                )
                # Together: none is ready before most of the quorum are there.
                plan = replace(plan, env=self._env, ready_timeout_seconds=self._ready_seconds)
                self.brokers[node.number] = self._supervisor.launch(plan)
            for child in self.brokers.values():
                child.wait_ready()
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
        """All brokers, as Kafka's clients take them: any of them may be away."""
        return ",".join(f"{LOOPBACK}:{node.port}" for node in self.nodes)
