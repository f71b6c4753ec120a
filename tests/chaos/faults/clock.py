"""Faults of clocks: one process's time of day jumps by a day, and back."""

from __future__ import annotations

from tests.chaos.catalogue import BROKER
from tests.chaos.clocks import RIGHT
from tests.chaos.plan import Fault
from tests.chaos.world import World


def jump(world: World, fault: Fault) -> None:
    """Set a clock off for as long as the fault lasts."""
    clock = world.stack.clocks[BROKER if fault.target == "broker clock" else fault.target]
    clock.set(fault.choice)
    try:
        # It is looked at once a second.
        world.wait(fault.seconds + 1)
    finally:
        clock.set(RIGHT)
        world.wait(1)
