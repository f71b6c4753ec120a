"""Two Kafka clusters, as on two continents, into one database."""

from __future__ import annotations

from typing import Final

from tests.clusters.errors import ScenarioError
from tests.clusters.site import PARTITIONS
from tests.clusters.world import World

CONTINENTS: Final = ("europe", "asia")


def continents(world: World) -> None:
    """The same topic and group on each; one continent's Kafka is away, then the other's worker.

    What is sent has the same ids on both: they are apart because their logs are.
    """
    server = world.clickhouse()
    clusters = [world.kafka(name, 1) for name in CONTINENTS]
    sites = [
        world.site(name, cluster, server)
        for name, cluster in zip(CONTINENTS, clusters, strict=True)
    ]
    for site in sites:
        site.migrate()
    workers = [site.launch("worker") for site in sites]
    for worker in workers:
        worker.wait_ready()
    europe, asia = sites
    with europe.sender, asia.sender:
        for site in sites:
            site.metered()
        world.step("two Kafka clusters, a worker each, one database")
        if world.plant is not None:
            # A planted fault needs no other to be seen.
            return
        broker = europe.cluster.brokers[1]
        world.kill(broker)
        asia.metered()
        world.step("europe's Kafka was killed; asia goes on")
        world.again(broker)
        europe.metered()
        world.step("europe's Kafka came again")
        world.kill(workers[1])
        asia.more_is_sent()
        europe.metered()
        world.again(workers[1])
        asia.metered()
        world.step("asia's worker was killed, and came again")
    for site in sites:
        if len(site.offsets()) != PARTITIONS:
            raise ScenarioError(f"{site.name} has checkpoints {site.offsets()}")
    logs = {log for log, _ in server.database.offsets()}
    if len(logs) != len(sites):
        raise ScenarioError(f"two logs should be metered, {logs} are")
