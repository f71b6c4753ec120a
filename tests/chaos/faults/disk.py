"""Faults of disks: one is full to the last block for a while."""

from __future__ import annotations

from tests.chaos.catalogue import BROKER, CLICKHOUSE
from tests.chaos.faults.process import bring_up
from tests.chaos.plan import Fault
from tests.chaos.world import World


def fill(world: World, fault: Fault) -> None:
    """Fill the disk, wait, free it. What stopped over it is started when there is space again."""
    disk = world.stack.disks[fault.target]
    actor = world.actor(fault.target) if fault.target in (BROKER, CLICKHOUSE) else None
    if actor is not None:
        actor.hold()
    try:
        disk.fill()
        world.wait(fault.seconds)
    finally:
        disk.free()
        if actor is not None:
            if not actor.child.alive:
                world.note(f"{actor.name} ended with the full disk ({actor.child.ending})")
            bring_up(world, actor)
