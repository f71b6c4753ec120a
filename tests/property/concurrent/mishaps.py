"""What befalls workers, their group, and what they need."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from services.aggregator.core.partition import PartitionState
from services.aggregator.storage.seen_store import SeenStore
from tests.property.concurrent import traffic
from tests.property.concurrent.loop import Item
from tests.property.concurrent.model import World
from tests.property.concurrent.process import Job
from tests.property.concurrent.worker import WorkerProcess

WORKERS_MAX = 3


def kill(world: World) -> None:
    if world.live:
        world.kill(world.choices.pick(world.live))


def kill_beyond_a_run(world: World) -> None:
    """Kill a worker that wrote a run and has read on since: its checkpoint is behind both."""
    moved = [
        one
        for one in world.live
        if any(has_read_on_since_a_run(state) for state in one.app.meter.states.values())
    ]
    if moved:
        world.kill(world.choices.pick(moved))


def has_read_on_since_a_run(state: PartitionState) -> bool:
    """Whether there is a run up to the last checkpoint or beyond it, and more was read."""
    place = state.seen._older._place if isinstance(state.seen._older, SeenStore) else None
    checkpoint = state.checkpoint.next_offset
    end = None if place is None else place.end
    return end is not None and checkpoint <= end.offset < state.next_offset


def kill_all(world: World) -> None:
    for process in world.live:
        world.kill(process)


def start_a_worker(world: World) -> None:
    if len(world.live) < WORKERS_MAX and not world.grown:
        world.start_worker(world.choices.pick(world.hosts))


def stop_a_worker(world: World) -> None:
    if world.live:
        process = world.choices.pick(world.live)
        world.note(f"{process} is told to stop")
        process.stop()


def rebalance(world: World) -> None:
    outside = [one for one in world.live if one not in world.group.members]
    world.note("rebalance")
    world.group.rebalance(
        [
            *(one for one in world.group.members if not one.dead),
            *(one for one in outside if world.choices.chance(128)),
        ]
    )


def time_out(world: World) -> None:
    if world.group.members:
        world.time_out(world.choices.pick(world.group.members))


def replace_workers(world: World) -> None:
    """Cut the group's workers off, and have another in their place: they do not know of it."""
    others = [process for process in world.live if process not in world.group.members]
    world.note("all are replaced")
    world.group.rebalance([])
    if others and world.choices.chance(128):
        world.group.rebalance([world.choices.pick(others)])
    elif len(world.live) < WORKERS_MAX:
        world.start_worker(world.choices.pick(world.hosts))


def freeze(world: World) -> None:
    if world.live:
        world.freeze(world.choices.pick(world.live), 3 + world.choices.below(20))


def freeze_in_a_call(world: World) -> None:
    """Freeze a process between two questions of a recovery, say, while others do a lot."""
    within = [process for process in world.live if process.in_a_call]
    if within:
        world.freeze(world.choices.pick(within), 10 + world.choices.below(50))


def delay_a_call(world: World) -> None:
    """Let a question or its answer be on its way for a while."""
    under_way = [(one, call) for one in world.live for call in one.delayable()]
    if under_way:
        process, call = world.choices.pick(under_way)
        call.held = 5 + world.choices.below(30)
        what = getattr(call, "name", "") or getattr(call, "at", "")
        world.note(f"{process}: {what or 'a call'} is held up for {call.held} steps")


def cross_a_look_up(world: World) -> None:
    """Let an old window's look-up fail or come late, and give partitions away meanwhile."""
    asking = [one for one in world.live if one.app.meter._batch_lock.locked()]
    if not asking:
        traffic.append(world)
        return
    process, steps = world.choices.pick(asking), 10 + world.choices.below(50)
    if process.writing:
        # The flush is to end while the look-up is under way, or only its answer is.
        calls = process.reading()
        answers = [call for call in calls if isinstance(call, Item)]
        hold_up(world, process, answers or calls, 40 + steps)
        going_away = world.choices.chance(40)
    elif process.app.meter._flush_lock.locked():
        # It waits for the batch: between two steps of a flush the partition goes away.
        hold_up(world, process, process.reading(), steps)
        going_away = world.choices.chance(160)
    elif world.choices.chance(128):
        if world.choices.chance(200):
            world.let_fail("look up", steps)
        else:
            world.let_be_refused("look up", steps // 4)
        going_away = world.choices.chance(160)
    else:
        return
    if going_away:
        world.note("rebalance")
        world.group.rebalance([one for one in world.group.members if not one.dead])


def hold_up(world: World, process: WorkerProcess, calls: Sequence[Item | Job], steps: int) -> None:
    for call in calls:
        call.held = steps
    world.note(f"{process}: what it asked is held up for {steps} steps")


def overtake_a_recovery(world: World) -> None:
    """Hold a recovery up between two of its questions; whoever has partitions goes on meanwhile."""
    awake = [one for one in world.live if one not in world.frozen]
    within = [one for one in awake if one.app.recovering and one.in_a_call]
    others = [one for one in awake if one not in within and one.app.meter.states]
    if within and others:
        world.freeze(world.choices.pick(within), 20 + world.choices.below(60))
        traffic.append(world)


def database_away(world: World) -> None:
    world.cut_off("clickhouse", 5 + world.choices.below(40))


def kafka_away(world: World) -> None:
    world.cut_off("kafka", 5 + world.choices.below(40))


def fill_a_disk(world: World) -> None:
    host = world.choices.pick(world.hosts)
    host.disk_full = not host.disk_full
    world.note(f"{host.name}: disk {'full' if host.disk_full else 'has room again'}")


def delete_ids(world: World) -> None:
    """Delete a machine's ids under the processes that use them."""
    host = world.choices.pick(world.hosts)
    for folder in host.folder.glob("*"):
        shutil.rmtree(folder)
    world.note(f"{host.name}: ids are deleted")
