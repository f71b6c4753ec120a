"""A site: traffic onto one Kafka cluster, and the workers that meter it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from services.local_stack.kafka_cluster import KafkaCluster
from services.local_stack.processes import Child
from services.local_stack.services import service_plan
from tests.chaos.database import DatabaseAwayError
from tests.clusters.planted import PlantedSender
from tests.upgrades.group import shares
from tests.upgrades.load import Sender
from tests.upgrades.shown import log_ends

if TYPE_CHECKING:
    from tests.clusters.world import Server, World

#: So many that rows are on both of two shards, but for one time in 128.
PARTITIONS: Final = 8
TOPIC: Final = "usage.events.v1"
GROUP: Final = "wattoken"
#: So many are sent at least in each state of affairs.
FRESH_EVENTS: Final = 200


class Site:
    """One of the world's; see `World.site`. ``server`` is the ClickHouse that is asked."""

    def __init__(self, world: World, name: str, cluster: KafkaCluster, server: Server) -> None:
        self.name = name
        self.cluster = cluster
        self.server = server
        args = (cluster.bootstrap_servers, TOPIC, world.rate)
        self.sender = (
            Sender(*args) if world.plant is None else PlantedSender(*args, world.plant, PARTITIONS)
        )
        self._world = world

    def env(self, port: int) -> dict[str, str]:
        """What points a command at this Kafka, and at the ClickHouse on a port."""
        return {
            **self._world.clickhouse_env(port),
            "WATTOKEN_KAFKA_BOOTSTRAP_SERVERS": self.cluster.bootstrap_servers,
            "WATTOKEN_KAFKA_TOPIC": TOPIC,
            "WATTOKEN_AGGREGATOR_GROUP": GROUP,
            "WATTOKEN_CLICKHOUSE_TIMEOUT_SECONDS": str(max(10.0, self._world.patience / 12)),
            "WATTOKEN_AGGREGATOR_REPLICA_WAIT_SECONDS": str(self._world.patience),
            "WATTOKEN_AGGREGATOR_STANDSTILL_SECONDS": str(max(120.0, self._world.patience)),
            "WATTOKEN_AGGREGATOR_SESSION_TIMEOUT_SECONDS": str(self._world.session_seconds),
        }

    def migrate(self, *options: str) -> None:
        """Run `wattoken migrate`. Raises `TreeError`."""
        env = self.env(self.server.http_port)
        self._world.run(env, "migrate", "--partitions", str(PARTITIONS), *options)

    def worker(self, name: str, *, clickhouse_port: int | None = None) -> Child:
        """Start a worker, and wait until it has partitions. Raises `ChildFailed`."""
        child = self.launch(name, clickhouse_port=clickhouse_port)
        child.wait_ready()
        return child

    def launch(self, name: str, *, clickhouse_port: int | None = None) -> Child:
        """Start a worker."""
        world, port = self._world, self._world.port()
        whole = f"{self.name}-{name}"
        folder = world.folder / whole
        env = {
            **self.env(clickhouse_port or self.server.http_port),
            "WATTOKEN_AGGREGATOR_STATE_DIR": str(folder / "ids"),
        }
        plan = service_plan("aggregator", port, env, world.folder / f"{whole}.log", folder)
        plan = replace(
            plan,
            name=whole,
            ready_timeout_seconds=world.patience,
            stop_grace_seconds=world.patience,
        )
        child = world.supervisor.launch(plan)
        world.running.append(child)
        return child

    def shared_among(self, members: int) -> None:
        """Wait until the partitions are with so many workers. Raises `ScenarioError`."""

        def are_shared() -> bool:
            found = shares(self.cluster.bootstrap_servers, GROUP, TOPIC)
            with_some = [parts for parts in found if parts]
            every = sorted(part for parts in with_some for part in parts)
            return len(with_some) == members and every == list(range(PARTITIONS))

        self._world.wait(f"{self.name}: {members} workers with all partitions", are_shared)

    def metered(self) -> None:
        """Let more be sent, and wait until every partition is metered to where it ends then.

        Raises `ScenarioError`.
        """
        self.more_is_sent()
        self.metered_to_the_end()

    def more_is_sent(self) -> None:
        """Let the sender go on for a while. Raises `ScenarioError`."""
        enough = len(self.sender.events) + FRESH_EVENTS
        self._world.wait("more traffic", lambda: len(self.sender.events) >= enough)

    def metered_to_the_end(self) -> None:
        """Wait until every partition is metered to where it ends now. Raises `ScenarioError`."""
        ends: dict[int, int] = {}

        def are_told() -> bool:
            ends.update(log_ends(self.cluster.bootstrap_servers, TOPIC, PARTITIONS))
            return bool(ends)

        self._world.wait(f"{self.name}: where the log ends", are_told)
        self._world.wait(f"{self.name}: metered up to {ends}", lambda: self._is_metered_to(ends))

    def offsets(self) -> dict[int, int]:
        """How far each partition is metered. Raises `DatabaseAwayError`."""
        return {
            partition: offset
            for (log, partition), offset in self.server.database.offsets().items()
            if log.startswith(f"{self.cluster.cluster_id}/")
        }

    def _is_metered_to(self, ends: dict[int, int]) -> bool:
        try:
            at = self.offsets()
        except DatabaseAwayError:
            # It counts rows and reads them, and they became more in between; or it is away.
            return False
        return all(at.get(partition, 0) >= end for partition, end in ends.items())
