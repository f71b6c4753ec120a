"""Faults of the log: a transaction left open, and its succession by another topic."""

from __future__ import annotations

from tests.chaos.plan import Fault
from tests.chaos.world import World

SUCCESSION_SECONDS_MAX = 120.0


def leave_open(world: World, fault: Fault) -> None:
    """Have a transaction stay open: readers of committed records wait for it."""
    hold = world.transactions.hold(commit=fault.choice == "commit")
    try:
        if not hold.begun.wait(10):
            world.note("no transaction began in time")
        world.wait(fault.seconds)
    finally:
        hold.let_go.set()


def succeed(world: World, fault: Fault) -> None:
    """Have the log followed by another, with one partition more, on the running system."""
    topic = f"usage.events.chaos.{len(world.topics) + 1}"
    partitions = world.partitions + 1
    world.stack.run(
        *("succeed", "--topic", topic, "--partitions", str(partitions)),
        seconds=SUCCESSION_SECONDS_MAX,
    )
    world.follow(topic, partitions)
    world.wait(fault.seconds)
