"""What operators do: backups, restores, other rules, a topic recreated."""

from __future__ import annotations

from dataclasses import replace

from schemas.metering_rules import HOUR_MS
from tests.property.concurrent import mishaps, traffic
from tests.property.concurrent.calm import settle
from tests.property.concurrent.log import ModelLog, ModelPartition
from tests.property.concurrent.loop import Item
from tests.property.concurrent.model import World
from tests.property.concurrent.oracle import CLOCK_STEP_MS
from tests.property.concurrent.process import Job
from tests.property.concurrent.profile import HORIZON_MS, RULES
from tests.property.concurrent.worker import WorkerProcess

#: How far a broker's clock is behind after a long rest.
BEHIND_MS = (-2 * HORIZON_MS, -HORIZON_MS - CLOCK_STEP_MS - 2, -5 * HORIZON_MS, 0)
HORIZONS_MS = (HORIZON_MS, HORIZON_MS // 2, 2 * HORIZON_MS, 5 * HORIZON_MS)


def back_up(world: World) -> None:
    world.note("backup")
    world.backup = world.database.copy()


def restore(world: World) -> None:
    stopped = world.choices.chance(128)
    for process in world.live:
        if stopped or process not in world.group.members or not _will_notice(world, process):
            world.kill(process)
    copies = world.database.copies
    world.database = world.backup.copy()
    world.database.restored = True
    if world.profile.copies and world.choices.chance(128):
        # A table that was backed up after the checkpoints, or not at all.
        world.database.copies = copies
    world.restores += 1
    world.unaccepted = True
    world.note("an older backup is restored")
    if not world.live and world.choices.chance(128):
        world.accept_restore()


def _will_notice(world: World, process: WorkerProcess) -> bool:
    """Whether a worker goes on exactly although it is not stopped for a restore.

    Only where its next look at the checkpoints shows it: docs/reliability.md promises no more.
    """
    meter = process.app.meter
    if meter._flush_lock.locked() or meter._recovery_lock.locked():
        return False
    for number, state in meter.states.items():
        place = (world.log.name, number)
        stored = world.backup.checkpoints.get(place)
        if state.written_offset <= (0 if stored is None else stored.next_offset):
            rows = world.database.slices[place], world.backup.slices[place]
            if rows[0] != rows[1]:
                return False
    return True


def change_rules(world: World) -> None:
    # Running workers do not hear of it, so they are stopped: docs/adr/0010.
    mishaps.kill_all(world)
    if world.choices.chance(128):
        traffic.append(world)
    horizon_ms = world.choices.pick(HORIZONS_MS)
    rules = replace(
        RULES,
        dedup_horizon_ms=horizon_ms,
        too_old_ms=world.choices.pick([6 * HOUR_MS, 3 * HOUR_MS]),
        context_thresholds=RULES.context_thresholds if horizon_ms == HORIZONS_MS[0] else (),
    )
    for partition in world.log.partitions:
        partition.change_rules(rules)
    world.note(f"other rules: {rules}")
    if world.choices.chance(128):
        world.pass_time(world.choices.pick(HORIZONS_MS))
        traffic.append(world)


def recreate_topic(world: World) -> None:
    # What the old log held and nobody metered would be gone with it.
    settle(world)
    world.calm = False
    if world.lost:
        return
    if world.choices.chance(128):
        mishaps.kill_all(world)
    partitions = world.choices.pick([world.profile.partitions, 1, 2, 3])
    world.logs.append(ModelLog(f"cluster/log-{len(world.logs)}", partitions, RULES))
    world.backup = world.database.copy()
    world.note(f"the topic is recreated, with {partitions} partitions")
    if world.choices.chance(128):
        world.group.commits.clear()


def come_to_rest(world: World) -> None:
    """Nothing more comes for a while: everything must be metered without it, and be right."""
    settle(world)
    world.calm = False


def rest_behind_a_loss(world: World) -> None:
    """Come to rest where batches were fetched and thrown away: no record that follows shows it."""
    lost = [one for one in world.live if one.app.thrown_away or one.app.consumer._dropped]
    if lost:
        for one in lost:
            one.app.thrown_away = False
        come_to_rest(world)


def rest_for_long(world: World) -> None:
    """Nothing comes for longer than ids matter, and all is deleted; then a clock is behind."""
    if world.choices.chance(128):
        traffic.marker(world)
    settle(world)
    world.calm = False
    if world.lost:
        return
    back_up(world)
    world.pass_time(HORIZON_MS + CLOCK_STEP_MS + 1)
    traffic.delete_old_records(world)
    mishaps.kill_all(world)
    traffic.append(world, world.choices.pick(BEHIND_MS))
    if world.choices.chance(128):
        traffic.append(world)


def add_partitions(world: World) -> None:
    """Add a partition to the topic: from here on keys go elsewhere, so nothing more may count.

    Mostly while a worker hears that the topic is as it was.
    """
    told = [call for one in world.live for call in one.delayable() if _tells_the_topic(call)]
    if not told and world.choices.chance(240):
        return
    for answer in told:
        answer.held = 20 + world.choices.below(40)
    for partition in world.log.partitions:
        partition.closed_at = partition.end
    added = ModelPartition(len(world.log.partitions), RULES)
    added.closed_at = 0
    world.log.partitions.append(added)
    world.grown = True
    world.note("a partition is added to the topic")


def _tells_the_topic(call: Item | Job) -> bool:
    return isinstance(call, Item) and call.name == "answer: ask what the topic is"
