"""Three brokers, each ended in turn under load, and leaders moved back under load."""

from __future__ import annotations

import signal
from functools import partial
from typing import Final

from services.local_stack.processes import Child
from tests.clusters.errors import ScenarioError
from tests.clusters.leaders import Led, elect_preferred, leaders
from tests.clusters.site import PARTITIONS, TOPIC, Site
from tests.clusters.world import World

BROKERS: Final = 3


def brokers(world: World) -> None:
    """Replication factor 3, two in sync; two workers; the brokers go one after the other.

    The first and the last are killed, the other ends in order, so that its leaders are moved
    before. One of them is the active controller. With the last a worker is killed.
    """
    cluster = world.kafka("kafka", BROKERS)
    site = world.site("brokers", cluster, world.clickhouse())
    site.migrate("--replication-factor", str(BROKERS))
    check_topic(led(site))
    first = site.launch("first")
    site.worker("second")
    first.wait_ready()
    with site.sender:
        site.shared_among(2)
        site.metered()
        world.step("three brokers, two workers")
        order = order_of_ends(led(site))
        for number, how in zip(order, ("killed", "ended in order", "killed"), strict=True):
            broker = cluster.brokers[number]
            if how == "killed":
                world.kill(broker)
            else:
                end_in_order(world, broker)
            last = number == order[-1]
            if last:
                world.kill(first)
            world.wait(f"nothing is led by broker {number}", partial(is_rid, site, number))
            site.metered()
            world.again(broker)
            world.wait("all replicas in sync", lambda: all_in_sync(site))
            elect(world, site)
            site.metered()
            beside = ", and a worker with it" if last else ""
            world.step(
                f"broker {number} was {how}{beside}; it came again, and leads what it led before"
            )
        world.again(first)
        site.shared_among(2)
        site.metered()
        world.step("the worker came again")


def led(site: Site) -> dict[int, Led]:
    """The partitions. Raises `ScenarioError` where nobody tells."""
    found = leaders(site.cluster.bootstrap_servers, TOPIC)
    if len(found) != PARTITIONS:
        raise ScenarioError(f"of {PARTITIONS} partitions, brokers tell of {sorted(found)}")
    return found


def check_topic(partitions: dict[int, Led]) -> None:
    """See that every broker has every partition. Raises `ScenarioError`."""
    for number, each in partitions.items():
        if len(set(each.replicas)) != BROKERS:
            raise ScenarioError(f"partition {number} is on {each.replicas}")


def order_of_ends(partitions: dict[int, Led]) -> list[int]:
    """All brokers, those that lead most first: their end moves something."""
    count = {number: 0 for each in partitions.values() for number in each.replicas}
    for each in partitions.values():
        count[each.leader] += 1
    return sorted(count, key=lambda number: (-count[number], number))


def end_in_order(world: World, broker: Child) -> None:
    """Have a broker hand over what it leads, and end."""
    world.running.remove(broker)
    broker.kill(signal.SIGTERM)
    broker.wait(world.patience)


def is_rid(site: Site, number: int) -> bool:
    """Whether other brokers lead everything."""
    found = leaders(site.cluster.bootstrap_servers, TOPIC)
    return len(found) == PARTITIONS and all(
        each.leader not in (number, -1) for each in found.values()
    )


def all_in_sync(site: Site) -> bool:
    """Whether every broker has all of every partition."""
    found = leaders(site.cluster.bootstrap_servers, TOPIC)
    return len(found) == PARTITIONS and all(
        each.in_sync == set(each.replicas) for each in found.values()
    )


def elect(world: World, site: Site) -> None:
    """Move every partition's leader to the first of its replicas. Raises `ScenarioError`."""
    servers = site.cluster.bootstrap_servers
    world.wait("an election", lambda: elect_preferred(servers, TOPIC, PARTITIONS))
    world.wait(
        "each partition led by its preferred replica",
        lambda: all(each.leader == each.replicas[0] for each in led(site).values()),
    )
