"""Faults of the network: one link is treated badly for a while."""

from __future__ import annotations

from typing import Final

from tests.chaos.plan import Fault
from tests.chaos.proxy import Treatment
from tests.chaos.world import World

TREATMENTS: Final = {
    "refuse": Treatment.REFUSE,
    "reset": Treatment.RESET,
    "half_open": Treatment.HALF_OPEN,
    "slow": Treatment.SLOW,
    "answer_lost": Treatment.ANSWER_LOST,
}


def treat(world: World, fault: Fault) -> None:
    """Treat a link so for as long as the fault lasts."""
    world.network.treat(fault.target, TREATMENTS[fault.kind])
    try:
        world.wait(fault.seconds)
    finally:
        world.network.treat(fault.target, Treatment.PASS, resume=fault.choice != "reset")
