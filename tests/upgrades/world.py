"""One upgrade's world: a topic, a database and a group of their own, and workers of any tree."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

from services.local_stack.infrastructure import Infrastructure
from services.local_stack.ports import LOOPBACK, give_back, pick_port
from services.local_stack.processes import Child, ChildPlan
from services.local_stack.readiness import http_answers
from services.local_stack.supervisor import Supervisor
from tests.chaos.database import Database, DatabaseAwayError
from tests.upgrades.group import shares
from tests.upgrades.load import Sender
from tests.upgrades.shown import log_ends, rows_shown, shapes_of
from tests.upgrades.sums import Verdict, expected, verdict
from tests.upgrades.trees import Tree, TreeError

PARTITIONS: Final = 4
#: A killed worker's partitions go to others after this.
SESSION_SECONDS: Final = 8
POLL_SECONDS: Final = 0.3
BUSY: Final = "does not answer"
#: So many are sent at least in each state of affairs.
FRESH_EVENTS: Final = 200


class UpgradeError(Exception):
    """An upgrade did not come as far as it should."""


class World:
    """A context manager. ``patience`` is for how many seconds anything may take."""

    def __init__(
        self, infrastructure: Infrastructure, name: str, rate: float, patience: float
    ) -> None:
        self.infrastructure = infrastructure
        self.name = name
        self.topic = f"usage.events.{name}"
        self.group = f"wattoken-{name}"
        self.database = Database(infrastructure.ports.clickhouse_http, f"wattoken_{name}")
        self.supervisor = Supervisor()
        self.sender = Sender(infrastructure.bootstrap_servers, self.topic, rate)
        self._patience = patience
        self._stack = ExitStack()
        self._running: list[Child] = []

    @property
    def env(self) -> dict[str, str]:
        """Settings that every tree has known."""
        return {
            **self.infrastructure.env,
            "WATTOKEN_KAFKA_TOPIC": self.topic,
            "WATTOKEN_KAFKA_REJECTED_TOPIC": f"usage.rejected.{self.name}",
            "WATTOKEN_KAFKA_SUCCESSIONS_TOPIC": f"wattoken.successions.{self.name}",
            "WATTOKEN_CLICKHOUSE_DATABASE": f"wattoken_{self.name}",
            "WATTOKEN_AGGREGATOR_GROUP": self.group,
            "WATTOKEN_AGGREGATOR_SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS),
            "WATTOKEN_LOG_FORMAT": "json",
        }

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

    def migrate(self, tree: Tree) -> None:
        """Run a tree's `wattoken migrate`, again if the machine was busy. Raises `TreeError`."""
        deadline = time.monotonic() + self._patience
        while True:
            try:
                tree.run(self.env, self._patience, "migrate", "--partitions", str(PARTITIONS))
                return
            except TreeError as error:
                # Commands wait ten seconds for an answer, whoever else keeps the machine busy.
                if BUSY not in str(error) or time.monotonic() > deadline:
                    raise

    def worker(self, tree: Tree, name: str) -> Child:
        """Start a worker, and wait until it has partitions. Raises `ChildFailed`."""
        port = pick_port()
        self._stack.callback(give_back, port)
        folder = self.infrastructure.data / "workers" / self.name / name
        child = self.supervisor.launch(
            ChildPlan(
                name=f"{self.name}-{name}",
                command=[*tree.command, "aggregator"],
                log_path=self.infrastructure.logs / f"{self.name}-{name}.log",
                ready=http_answers(f"http://{LOOPBACK}:{port}/readyz"),
                ready_timeout_seconds=self._patience,
                directory=folder,
                env={
                    **self.env,
                    **tree.env,
                    "WATTOKEN_AGGREGATOR_HOST": LOOPBACK,
                    "WATTOKEN_AGGREGATOR_PORT": str(port),
                    "WATTOKEN_AGGREGATOR_STATE_DIR": str(folder / "ids"),
                },
                stop_grace_seconds=self._patience,
            )
        )
        child.wait_ready()
        self._running.append(child)
        return child

    def again(self, child: Child) -> None:
        """Start a worker that was ended, on what it left. Raises `ChildFailed`."""
        child.start()
        child.wait_ready()
        self._running.append(child)

    def stop(self, child: Child) -> None:
        """End a worker in order. Raises `UpgradeError` if it had to be killed."""
        self._running.remove(child)
        child.kill(signal.SIGTERM)
        child.wait(self._patience)
        if child.exit_code not in (0, -signal.SIGTERM):
            raise UpgradeError(child.failure(f"ended with {child.ending} when it was stopped"))

    def kill(self, child: Child) -> None:
        """End a worker as a machine that dies does."""
        self._running.remove(child)
        child.kill(signal.SIGKILL)

    def shared_among(self, members: int) -> None:
        """Wait until the group's partitions are with so many workers. Raises `UpgradeError`."""

        def are_shared() -> bool:
            found = shares(self.infrastructure.bootstrap_servers, self.group, self.topic)
            with_some = [parts for parts in found if parts]
            every = sorted(part for parts in with_some for part in parts)
            return len(with_some) == members and every == list(range(PARTITIONS))

        self._wait(f"{members} workers with all partitions", are_shared)

    def metered(self) -> None:
        """Let more be sent, and wait until every partition is metered to where it ends then.

        Raises `UpgradeError`.
        """
        enough = len(self.sender.events) + FRESH_EVENTS
        self._wait("more traffic", lambda: len(self.sender.events) >= enough)
        self._metered_to_the_end()

    def compare(self) -> Verdict:
        """End the traffic, wait until all is metered, and hold the views against what was sent.

        Raises `UpgradeError`, `RuntimeError` where the sender had faults.
        """
        self.sender.stop()
        self._metered_to_the_end()
        self._ask_each_view()
        found = shapes_of(self.database, f"wattoken_{self.name}")
        must = [(shape, expected(shape, self.sender.events)) for shape in found]
        return verdict(must, {shape.view: rows_shown(self.database, shape) for shape in found})

    def _metered_to_the_end(self) -> None:
        ends = self._ends()
        self._wait(f"metered up to {ends}", lambda: self._is_metered_to(ends))

    def _ask_each_view(self) -> None:
        """See that no view was left behind that asks for what is not there any more."""
        views = self.database.rows(
            "name",
            f"system.tables WHERE database = 'wattoken_{self.name}' AND engine = 'View'",
        )
        for (view,) in views:
            try:
                # Names and types all the way down, and nothing is read.
                self.database.command(f"DESCRIBE TABLE (SELECT * FROM {view})")
            except DatabaseAwayError as error:
                raise UpgradeError(f"view {view}: {error}") from None

    def _ends(self) -> dict[int, int]:
        found: dict[int, int] = {}

        def are_told() -> bool:
            found.update(log_ends(self.infrastructure.bootstrap_servers, self.topic, PARTITIONS))
            return bool(found)

        self._wait("where the log ends", are_told)
        return found

    def _is_metered_to(self, ends: dict[int, int]) -> bool:
        try:
            at = {partition: offset for (_, partition), offset in self.database.offsets().items()}
        except DatabaseAwayError:
            # It counts rows and reads them, and they became more in between.
            return False
        return all(at.get(partition, 0) >= end for partition, end in ends.items())

    def _wait(self, what: str, check: Callable[[], bool]) -> None:
        deadline = time.monotonic() + self._patience
        while not check():
            for child in self._running:
                if not child.alive:
                    raise UpgradeError(child.failure(f"ended with {child.ending} by itself"))
            if time.monotonic() > deadline:
                tails = "\n".join(child.failure("is running") for child in self._running)
                raise UpgradeError(f"not within {self._patience:g} s: {what}\n{tails}")
            time.sleep(POLL_SECONDS)
