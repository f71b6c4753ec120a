"""A schedule: what happens in a world, one thing after the other, and what must hold at its end."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from services.aggregator import app as app_module
from services.aggregator import meter as meter_module
from services.aggregator.core import log_time, run_copies, runs, timing
from services.aggregator.errors import DatabaseWentBackError
from services.aggregator.storage import retry, seen_store
from tests.property.concurrent import calm, mishaps, operators, traffic
from tests.property.concurrent.choices import Choices
from tests.property.concurrent.files import Files, modelled_files
from tests.property.concurrent.loop import Item
from tests.property.concurrent.model import World, noticed_going_back
from tests.property.concurrent.oracle import CLOCK_STEP_MS
from tests.property.concurrent.profile import Profile, draw_profile
from tests.property.concurrent.worker import signals_to

#: Enough for the choices of a long schedule; it ends when they are used up.
SCHEDULE_BYTES = 3000
#: How long a disk has a rest after it failed; a schedule lasts for some minutes at most.
REST_SECONDS = 2.0
REST_SECONDS_MAX = 8.0
STEPS_AFTER_GROWTH = 120


def run_schedule(data: bytes, folder: Path) -> list[str]:
    """Run one schedule in a folder of its own; give what happened. Raises `Violation`."""
    shutil.rmtree(folder, ignore_errors=True)
    choices = Choices(data)
    drawn = draw_profile(choices)
    limit(drawn)
    world = World(choices, drawn, folder)
    world.note(str(drawn))
    try:
        world.start_worker(world.hosts[0])
        for _ in range(drawn.steps):
            step(world)
            if world.lost or world.grown or not choices.left:
                break
        if world.grown:
            after_growth(world)
        else:
            calm.settle(world)
    finally:
        world.end()
    if world.files.locks:
        world.violated(f"locks of stores are still held: {world.files.locks}")
    world.check()
    return world.trace


def step(world: World) -> None:
    """Let one thing happen."""
    world.pass_a_step()
    EVENTS[world.choices.weighted(world.profile.events)](world)
    world.look_after()
    world.check()


def after_growth(world: World) -> None:
    """Partitions were added: workers stop when they see it, and meter nothing that came since."""
    for _ in range(STEPS_AFTER_GROWTH):
        world.pass_a_step()
        world.choices.pick(AFTER_GROWTH)(world)
        world.look_after()
        world.check()


def work(world: World) -> None:
    """Let a process do one thing of those that it may do next."""
    world.thaw()
    if not world.live:
        mishaps.start_a_worker(world)
        return
    awake = ((one, one.items()) for one in world.live if one not in world.frozen)
    busy = [(process, items) for process, items in awake if items]
    if not busy:
        move_on(world)
        return
    choices, split = world.choices, world.profile.split_rate
    process, items = choices.pick(busy)
    item = picked(world, items)
    world.note(f"{process}: {item.name}")
    process.happen(item, 1 + choices.below(4) if choices.chance(split) else 10_000)


def picked(world: World, items: list[Item]) -> Item:
    """The next thing to happen to a process.

    Where all are as likely, nothing waits for long. By priorities, which are drawn when a thing
    comes up, an answer may be on its way while others do whole flushes.
    """
    if world.profile.by_priority:
        return max(items, key=lambda item: item.priority)
    if not world.profile.eager:
        pressing = calm.pressing_of(items)
    else:
        pressing = [item for item in items if item.name != "time passes"] or items
    return world.choices.pick(pressing if world.choices.chance(176) else items)


def move_on(world: World) -> None:
    """Do what brings something to do: nobody has anything."""
    members = world.group.members
    if world.held_up:
        world.let_go_on()
    elif any(one.dead for one in members) or not all(one in members for one in world.live):
        world.note("the dead time out, and who is not in the group joins it")
        world.group.rebalance(world.live)
    else:
        traffic.append(world)


#: What may happen at a step, by its name in `tests.property.concurrent.profile`.
EVENTS: dict[str, Callable[[World], None]] = {
    "work": work,
    **{
        event.__name__.replace("_", " "): event
        for event in (
            mishaps.kill,
            mishaps.kill_beyond_a_run,
            mishaps.start_a_worker,
            mishaps.stop_a_worker,
            mishaps.rebalance,
            mishaps.time_out,
            mishaps.replace_workers,
            mishaps.freeze,
            mishaps.freeze_in_a_call,
            mishaps.delay_a_call,
            mishaps.cross_a_look_up,
            mishaps.overtake_a_recovery,
            mishaps.database_away,
            mishaps.kafka_away,
            mishaps.fill_a_disk,
            mishaps.delete_ids,
            traffic.append,
            traffic.marker,
            traffic.delete_old_records,
            traffic.delete_copied_records,
            traffic.overtake,
            operators.back_up,
            operators.restore,
            operators.change_rules,
            operators.recreate_topic,
            operators.come_to_rest,
            operators.rest_for_long,
            operators.rest_behind_a_loss,
            operators.add_partitions,
        )
    },
}

AFTER_GROWTH = (*(work,) * 12, *(traffic.append,) * 3, mishaps.rebalance)


def limit(drawn: Profile) -> None:
    """Set the code's own limits as the schedule has them; `model` sets them back."""
    app_module.LAST_FLUSH_SECONDS = drawn.last_flush_seconds
    runs.FAN_IN = drawn.fan_in
    run_copies.REPLACED_MIN = drawn.fan_in
    meter_module.IDS_MAX_LEAST = drawn.ids_max_least


@contextmanager
def model() -> Iterator[None]:
    """Put the parts of the code that touch the outside under the schedules' control."""

    def world() -> Any:
        assert Files.now is not None
        return Files.now._world

    def uniform(least: float, most: float) -> float:
        drawn: float = world().jitter(least, most)
        return drawn

    with modelled_files(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(*signals_to(lambda: world().current))
        patch.setattr(retry, "random", SimpleNamespace(uniform=uniform))
        for module in (log_time, timing):
            patch.setattr(module, "CLOCK_STEP_MAX_MS", CLOCK_STEP_MS)
        patch.setattr(seen_store, "WRITE_REST_SECONDS", REST_SECONDS)
        patch.setattr(seen_store, "READ_REST_SECONDS_MAX", REST_SECONDS_MAX)
        for limited, name in (
            (app_module, "LAST_FLUSH_SECONDS"),
            (runs, "FAN_IN"),
            (run_copies, "REPLACED_MIN"),
            (meter_module, "IDS_MAX_LEAST"),
        ):
            patch.setattr(limited, name, getattr(limited, name))
        patch.setattr(DatabaseWentBackError, "__init__", noticed_going_back(None))
        yield
