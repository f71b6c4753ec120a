"""Calm: no more faults. Then everything must be metered soon, and be right."""

from __future__ import annotations

from tests.property.concurrent.database import FAMILY_NAMES, true_view
from tests.property.concurrent.loop import Item
from tests.property.concurrent.model import World
from tests.property.concurrent.worker import WorkerProcess

#: So many rounds in which everything that may happen does must be enough.
ROUNDS_MAX = 120


def settle(world: World) -> None:
    """No more faults: everything must be metered soon, and be right."""
    world.calm = True
    world.note("calm")
    if world.lost:
        _refuses_to_go_on(world)
        return
    world.let_go_on()
    for host in world.hosts:
        host.disk_full = False
    if world.unaccepted and not world.live:
        world.accept_restore()
    for _ in range(ROUNDS_MAX):
        _keep_going(world)
        # Disks have a rest after they failed.
        world.clock.now_seconds += 1
        for process in world.live:
            for item in pressing_of(process.items()):
                if not process.dead and (item.name == "go on" or item.ready()):
                    world.note(f"{process}: {item.name}")
                    process.happen(item, 10_000)
                    world.look_after()
                    world.check()
        if _at_rest(world):
            break
        _restart_the_unaware(world)
    else:
        world.violated(f"no progress: {_told(world)}")
    _judge_end(world)
    world.check()


def _refuses_to_go_on(world: World) -> None:
    """A worker that starts where records are gone must say so, and meter nothing."""
    process = world.start_worker(world.hosts[0])
    world.group.rebalance([process])
    for _ in range(ROUNDS_MAX):
        for item in process.items():
            if not process.dead and item.ready():
                world.note(f"{process}: {item.name}")
                process.happen(item, 10_000)
                world.look_after()
                world.check()
        if process.dead:
            return
    world.violated("records were deleted that nobody metered, and nobody says so")
    world.check()


def _keep_going(world: World) -> None:
    """Do what an operator does, and Kafka's group."""
    for process in world.live:
        if process.outlived_its_log:
            world.note(f"{process}: the watchdog sees that the topic is another log")
            process.stop()
    if not world.live:
        world.start_worker(world.hosts[0])
    members = world.group.members
    if any(one.dead for one in members) or any(one not in members for one in world.live):
        world.group.rebalance(world.live)


def _restart_the_unaware(world: World) -> None:
    """Where nothing comes any more, nothing shows a worker that the database was restored.

    Therefore docs/reliability.md says that all are stopped for that.
    """
    for process in world.live:
        if process.restores_seen < world.restores and not _pressing(process):
            world.kill(process)


def pressing_of(items: list[Item]) -> list[Item]:
    """Those that are not the mere passing of time, where there are any."""
    return [item for item in items if not item.name.startswith("time ")] or items


def _at_rest(world: World) -> bool:
    for partition in world.log.partitions:
        stored = world.database.checkpoints.get((world.log.name, partition.number))
        if partition.end and (stored is None or stored.next_offset < partition.end):
            return False
    return all(not _pressing(process) for process in world.live)


def _pressing(process: WorkerProcess) -> bool:
    return any(not item.name.startswith("time ") for item in process.items())


def _judge_end(world: World) -> None:
    for family in FAMILY_NAMES:
        found, wanted = world.database.view(family), true_view(world.logs, family)
        if found != wanted:
            world.violated(f"the {family} view says {found}, {wanted} is right")
    for process in world.live:
        held, open_stores = world.files.held_by(process), process.open_stores
        if held != open_stores:
            world.violated(f"{process} has {open_stores} stores open and holds {held}")


def _told(world: World) -> str:
    ends = {one.number: one.end for one in world.log.partitions}
    stored = {
        number: checkpoint.next_offset
        for (log, number), checkpoint in world.database.checkpoints.items()
        if log == world.log.name
    }
    positions = {
        process.name: (process.app.meter.positions(), [item.name for item in process.items()])
        for process in world.live
    }
    return f"ends {ends}, checkpoints {stored}, positions {positions}"
