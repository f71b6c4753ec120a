"""Faults of disks: one is full for a while.

Those of Kafka and of the id stores to the last block. That of ClickHouse to where it refuses to
begin anything, with room for what it has begun: the local stack's ClickHouse does not look at a
failed write (`KEEP_FREE_BYTES` in ``services/local_stack/clickhouse.py``), a real server does.
"""

from __future__ import annotations

from services.local_stack.clickhouse import KEEP_FREE_BYTES
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
        disk.fill(KEEP_FREE_BYTES // 2 if fault.target == CLICKHOUSE else 0)
        world.wait(fault.seconds)
    finally:
        disk.free()
        if actor is not None:
            if not actor.child.alive:
                world.note(f"{actor.name} ended with the full disk ({actor.child.ending})")
            bring_up(world, actor)
