"""What gateways and Kafka do to the log."""

from __future__ import annotations

from tests.property.concurrent import mishaps
from tests.property.concurrent.log import event
from tests.property.concurrent.model import T0_MS, World
from tests.property.concurrent.oracle import CLOCK_STEP_MS
from tests.property.concurrent.profile import HORIZON_MS

POISON = (b"{", b"", b"[]", b'{"id": 1}', b"\xff")
#: How wrong a broker's clock is for one batch.
SKEWS_MS = (
    *(-HORIZON_MS - 1, -CLOCK_STEP_MS, -1, 1, CLOCK_STEP_MS, CLOCK_STEP_MS + 1, 30_000),
    -5 * HORIZON_MS,
)


def append(world: World, skew_ms: int | None = None) -> None:
    """Append a few records, in one batch, by a clock that is wrong as drawn or given."""
    choices = world.choices
    world.pass_time(choices.pick(world.profile.pauses_ms))
    if skew_ms is None:
        skewed = choices.chance(world.profile.skew_rate)
        skew_ms = choices.pick(SKEWS_MS) if skewed else 0
    append_ms = world.now_ms + skew_ms
    number = choices.below(len(world.log.partitions))
    partition = world.log.partitions[number]
    told = []
    for _ in range(1 + choices.below(4)):
        if choices.chance(world.profile.poison_rate):
            value = choices.pick(POISON)
            what = repr(value)
        else:
            identity = choices.below(world.profile.identities) * len(world.log.partitions)
            identity += number
            age_ms = choices.pick(world.profile.ages_ms)
            value = event(identity, world.now_ms - age_ms, choices.below(3))
            what = f"id-{identity} age {age_ms} ms"
        if partition.append(append_ms, value):
            told.append(f"{what} {partition.truth.decisions[-1]}")
    world.note(
        f"append to {number} at {append_ms - T0_MS} ms, below {partition.end}: {', '.join(told)}"
    )


def marker(world: World) -> None:
    world.choices.pick(world.log.partitions).append_marker()
    world.note("a transaction's marker")


def delete_old_records(world: World) -> None:
    """Retention deletes what no checkpoint, the backup's too, needs any more.

    Where all is metered time goes on all the same, so all may be deleted that is long past.
    """
    for partition in world.log.partitions:
        place = (world.log.name, partition.number)
        kept = [database.checkpoints.get(place) for database in (world.database, world.backup)]
        if None in kept:
            continue
        oldest = min((one for one in kept if one is not None), key=lambda one: one.next_offset)
        horizon_ms = max(rules.dedup_horizon_ms for _, rules in partition.rules)
        idle = oldest.next_offset == partition.end
        needed_ms = (world.now_ms if idle else oldest.last_append_ms) - horizon_ms - CLOCK_STEP_MS
        partition.start = max(
            partition.start, partition.records_before(needed_ms, oldest.next_offset)
        )
        world.note(f"retention: partition {partition.number} starts at {partition.start}")


def delete_copied_records(world: World) -> None:
    """Retention deletes what no checkpoint, the backup's too, needs, as copies have its ids."""
    if world.choices.chance(160):
        world.note("backup")
        world.backup = world.database.copy()
    for partition in world.log.partitions:
        horizon_ms = max(rules.dedup_horizon_ms for _, rules in partition.rules)
        reaches = []
        for database in (world.database, world.backup):
            stored = database.checkpoints.get((world.log.name, partition.number))
            past_ms = -1 if stored is None else stored.last_append_ms - horizon_ms - CLOCK_STEP_MS
            reaches.append(database.reach(world.log.name, partition.number, past_ms))
        partition.start = max(partition.start, *[min(reaches)])
        world.note(f"short retention: partition {partition.number} starts at {partition.start}")


def overtake(world: World) -> None:
    """Retention deletes what nobody has metered. Then a person must decide."""
    for partition in world.log.partitions:
        stored = world.database.checkpoints.get((world.log.name, partition.number))
        metered = 0 if stored is None else stored.next_offset
        if partition.end > metered:
            mishaps.kill_all(world)
            partition.start = metered + 1 + world.choices.below(partition.end - metered)
            world.lost = True
            world.note(f"retention overtakes: {partition.number} starts at {partition.start}")
            return
