"""The upgrades themselves, step by step, each under load."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tests.upgrades.orders import Order
from tests.upgrades.trees import Tree
from tests.upgrades.world import World

Say = Callable[[str], None]
Upgrade = Callable[[World, Tree, Tree, Say], None]


def side_by_side(world: World, old: Tree, new: Tree, say: Say) -> None:
    """Old and new workers in one group; each kind is killed, comes again, and the old one goes.

    So partitions go from the old worker to the new one and back, in order and after a crash, and
    a worker of the old release starts on a database that the new one has migrated.
    """
    world.migrate(old)
    first = world.worker(old, "old")
    with world.sender:
        world.metered()
        say("the old worker meters")
        world.migrate(new)
        world.metered()
        say("migrated; the old worker goes on")
        second = world.worker(new, "new")
        world.shared_among(2)
        world.metered()
        say("old and new worker side by side")
        world.kill(second)
        world.shared_among(1)
        world.metered()
        say("the new worker was killed; the old one has all partitions again")
        world.migrate(old)
        world.metered()
        world.migrate(new)
        say("the old migrate ran, as when a release is rolled back, and the new one again")
        world.again(second)
        world.shared_among(2)
        world.metered()
        world.kill(first)
        world.shared_among(1)
        world.metered()
        say("the old worker was killed; the new one has all partitions")
        world.again(first)
        world.shared_among(2)
        world.metered()
        say("an old worker started on the migrated database, beside the new one")
        world.stop(first)
        world.shared_among(1)
        world.metered()
        say("the old worker was stopped")
        world.sender.classed = new.reads_price_classes
        world.metered()


def briefly(world: World, old: Tree, new: Tree, say: Say) -> None:
    """The same without going back: a new worker joins an old one, which is killed then."""
    world.migrate(old)
    first = world.worker(old, "old")
    with world.sender:
        world.metered()
        world.migrate(new)
        world.worker(new, "new")
        world.shared_among(2)
        world.metered()
        say("old and new worker side by side")
        world.kill(first)
        world.shared_among(1)
        world.metered()
        say("the old worker was killed; the new one has all partitions")
        world.sender.classed = new.reads_price_classes
        world.metered()


def stopped(world: World, old: Tree, new: Tree, say: Say) -> None:
    """All old workers end, one in order and one killed; then migrate; then the new ones start."""
    world.migrate(old)
    first = world.worker(old, "old")
    with world.sender:
        world.metered()
        other = world.worker(old, "old-too")
        world.shared_among(2)
        world.metered()
        say("two old workers meter")
        world.stop(first)
        world.kill(other)
        say("one was stopped, one killed")
        world.migrate(new)
        world.worker(new, "new")
        world.shared_among(1)
        world.metered()
        world.worker(new, "new-too")
        world.shared_among(2)
        world.metered()
        say("migrated; two new workers meter")
        world.sender.classed = new.reads_price_classes
        world.metered()


#: What is done in which order.
BY_ORDER: Final[Mapping[Order, Upgrade]] = {
    Order.SIDE_BY_SIDE: side_by_side,
    Order.STOPPED: stopped,
}
