"""A schedule: what happens in a world, one thing after the other, and what must hold at its end."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.metering_rules import HOUR_MS, MINUTE_MS
from services.aggregator.core import log_time, timing
from services.aggregator.errors import DatabaseWentBackError
from tests.property.concurrent.choices import Choices
from tests.property.concurrent.database import FAMILY_NAMES, true_view
from tests.property.concurrent.files import Files, modelled_files
from tests.property.concurrent.log import ModelLog, event
from tests.property.concurrent.loop import Item
from tests.property.concurrent.model import T0_MS, World, noticed_going_back
from tests.property.concurrent.oracle import CLOCK_STEP_MS
from tests.property.concurrent.profile import HORIZON_MS, RULES, draw_profile
from tests.property.concurrent.worker import WorkerProcess, signals_to

#: How long after the last record the next is appended; most at once, some around the horizon.
PAUSES_MS = (0, 0, 1, 1, 500, 500, 3000, HORIZON_MS - 1, HORIZON_MS, HORIZON_MS + 1)
#: How old an event is when it is appended: fresh, late for the minutes, late for the hours, at
#: and beyond the limits.
AGES_MS = (
    *(0, 0, 0, 3 * MINUTE_MS, 4 * MINUTE_MS, 6 * MINUTE_MS, 2 * HOUR_MS, 3 * HOUR_MS),
    *(5 * HOUR_MS, 6 * HOUR_MS, 6 * HOUR_MS + 1, -MINUTE_MS, -MINUTE_MS - 1),
)
POISON = (b"{", b"", b"[]", b'{"id": 1}', b"\xff")
#: How wrong a broker's clock is for one batch.
SKEWS_MS = (-HORIZON_MS - 1, -CLOCK_STEP_MS, -1, 1, CLOCK_STEP_MS, CLOCK_STEP_MS + 1, 30_000)
HORIZONS_MS = (HORIZON_MS, HORIZON_MS // 2, 2 * HORIZON_MS)
WORKERS_MAX = 3
#: Enough for the choices of a long schedule; it ends when they are used up.
SCHEDULE_BYTES = 1000
#: In calm, so many rounds in which everything that may happen does must be enough.
ROUNDS_MAX = 120


class Schedule:
    """One run of a world."""

    def __init__(self, data: bytes, folder: Path) -> None:
        choices = Choices(data)
        self.world = World(choices, draw_profile(choices), folder)
        self.choices = choices
        self._frozen: dict[WorkerProcess, int] = {}
        self.world.note(str(self.world.profile))

    def run(self) -> None:
        """Let things happen, then let everything come to rest. Raises `Violation`."""
        world = self.world
        try:
            world.start_worker(world.hosts[0])
            for _ in range(world.profile.steps):
                self.step()
                if world.lost or not self.choices.left:
                    break
            self.settle()
        finally:
            world.end()
        if world.files.locks:
            world.violated(f"locks of stores are still held: {world.files.locks}")
        world.check()

    def step(self) -> None:
        """Let one thing happen."""
        for whom in self.world.away:
            self.world.away[whom] -= 1
        name = self.choices.weighted(self.world.profile.events)
        getattr(self, "_" + name.replace(" ", "_"))()
        self.world.look_after()
        self.world.check()

    # What workers do.

    def _work(self) -> None:
        world = self.world
        for process in list(self._frozen):
            self._frozen[process] -= 1
            if not self._frozen[process] or process.dead:
                del self._frozen[process]
        if not world.live:
            self._start_a_worker()
            return
        awake = ((one, one.items()) for one in world.live if one not in self._frozen)
        busy = [(process, items) for process, items in awake if items]
        if not busy:
            self._move_on()
            return
        process, items = self.choices.pick(busy)
        item = self._picked(items)
        world.note(f"{process}: {item.name}")
        most = (
            1 + self.choices.below(4) if self.choices.chance(world.profile.split_rate) else 10_000
        )
        process.happen(item, most)

    def _picked(self, items: list[Item]) -> Item:
        """The next thing to happen to a process.

        Where all are as likely, nothing waits for long. By priorities, which are drawn when a thing
        comes up, an answer may be on its way while others do whole flushes.
        """
        if self.world.profile.by_priority:
            return max(items, key=lambda item: item.priority)
        return self.choices.pick(self._pressing_of(items) if self.choices.chance(176) else items)

    def _move_on(self) -> None:
        """Do what brings something to do: nobody has anything."""
        world = self.world
        members = world.group.members
        if any(one.dead for one in members) or not all(one in members for one in world.live):
            world.note("the dead time out, and who is not in the group joins it")
            world.group.rebalance(world.live)
        else:
            self._append()

    # What befalls them.

    def _kill(self) -> None:
        if self.world.live:
            self.world.kill(self.choices.pick(self.world.live))

    def _start_a_worker(self) -> None:
        if len(self.world.live) < WORKERS_MAX:
            self.world.start_worker(self.choices.pick(self.world.hosts))

    def _rebalance(self) -> None:
        world = self.world
        outside = [one for one in world.live if one not in world.group.members]
        world.note("rebalance")
        world.group.rebalance(
            [
                *(one for one in world.group.members if not one.dead),
                *(one for one in outside if self.choices.chance(128)),
            ]
        )

    def _time_out(self) -> None:
        if self.world.group.members:
            self.world.time_out(self.choices.pick(self.world.group.members))

    def _freeze(self) -> None:
        if self.world.live:
            process = self.choices.pick(self.world.live)
            self._frozen[process] = 3 + self.choices.below(20)
            self.world.note(f"{process} is frozen for {self._frozen[process]} steps")

    def _stop_a_worker(self) -> None:
        if self.world.live:
            process = self.choices.pick(self.world.live)
            self.world.note(f"{process} is told to stop")
            process.stop()

    def _database_away(self) -> None:
        self._away("clickhouse")

    def _kafka_away(self) -> None:
        self._away("kafka")

    def _away(self, whom: str) -> None:
        self.world.away[whom] = 5 + self.choices.below(40)
        self.world.note(f"{whom} is away for {self.world.away[whom]} steps")

    def _fill_a_disk(self) -> None:
        host = self.choices.pick(self.world.hosts)
        host.disk_full = not host.disk_full
        self.world.note(f"{host.name}: disk {'full' if host.disk_full else 'has room again'}")

    # What gateways and Kafka do.

    def _append(self) -> None:
        world, choices = self.world, self.choices
        world.now_ms += choices.pick(PAUSES_MS)
        append_ms = world.now_ms
        if choices.chance(world.profile.skew_rate):
            append_ms += choices.pick(SKEWS_MS)
        number = choices.below(len(world.log.partitions))
        partition = world.log.partitions[number]
        told = []
        for _ in range(1 + choices.below(4)):
            if choices.chance(world.profile.poison_rate):
                value = choices.pick(POISON)
                told.append(repr(value))
            else:
                identity = choices.below(world.profile.identities) * len(world.log.partitions)
                identity += number
                age_ms = choices.pick(AGES_MS) if world.profile.old_events else 0
                tokens = choices.below(9)
                value = event(identity, world.now_ms - age_ms, tokens)
                told.append(f"id-{identity} age {age_ms} ms")
            partition.append(append_ms, value)
            told[-1] += " " + partition.truth.decisions[-1]
        world.note(
            f"append to {number} at {append_ms - T0_MS} ms, below"
            f" {partition.end}: {', '.join(told)}"
        )

    def _marker(self) -> None:
        self.choices.pick(self.world.log.partitions).append_marker()
        self.world.note("a transaction's marker")

    def _delete_old_records(self) -> None:
        world = self.world
        for partition in world.log.partitions:
            place = (world.log.name, partition.number)
            kept = [database.checkpoints.get(place) for database in (world.database, world.backup)]
            if None in kept:
                continue
            oldest = min((one for one in kept if one is not None), key=lambda one: one.next_offset)
            horizon_ms = max(rules.dedup_horizon_ms for _, rules in partition.rules)
            horizon_ms += CLOCK_STEP_MS
            partition.start = max(
                partition.start,
                partition.records_before(oldest.last_append_ms - horizon_ms, oldest.next_offset),
            )
            world.note(f"retention: partition {partition.number} starts at {partition.start}")

    def _overtake(self) -> None:
        """Retention deletes what nobody has metered. Then a person must decide."""
        world = self.world
        for partition in world.log.partitions:
            stored = world.database.checkpoints.get((world.log.name, partition.number))
            metered = 0 if stored is None else stored.next_offset
            if partition.end > metered:
                self._kill_all()
                partition.start = metered + 1 + self.choices.below(partition.end - metered)
                world.lost = True
                world.note(f"retention overtakes: {partition.number} starts at {partition.start}")
                return

    # What operators do.

    def _back_up(self) -> None:
        world = self.world
        world.note("backup")
        world.backup = world.database.copy()

    def _restore(self) -> None:
        world = self.world
        stopped = self.choices.chance(128)
        for process in world.live:
            if stopped or process not in world.group.members or not self._will_notice(process):
                world.kill(process)
        world.database = world.backup.copy()
        world.restores += 1
        world.unaccepted = True
        world.note("an older backup is restored")
        if not world.live and self.choices.chance(128):
            world.accept_restore()

    def _will_notice(self, process: WorkerProcess) -> bool:
        """Whether a worker goes on exactly although it is not stopped for a restore.

        Only where its next look at the checkpoints shows it: docs/reliability.md promises no more.
        """
        world, meter = self.world, process.app.meter
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

    def _kill_all(self) -> None:
        for process in self.world.live:
            self.world.kill(process)

    def _change_rules(self) -> None:
        # Running workers do not hear of it, so they are stopped: docs/adr/0010.
        self._kill_all()
        rules = replace(
            RULES,
            dedup_horizon_ms=self.choices.pick(HORIZONS_MS),
            too_old_ms=self.choices.pick([6 * HOUR_MS, 3 * HOUR_MS]),
        )
        for partition in self.world.log.partitions:
            partition.change_rules(rules)
        self.world.note(f"other rules: {rules}")

    def _make_topic_anew(self) -> None:
        # What the old log held and nobody metered would be gone with it.
        self.settle()
        world = self.world
        world.calm = False
        self._kill_all()
        world.logs.append(
            ModelLog(f"cluster/log-{len(world.logs)}", world.profile.partitions, RULES)
        )
        world.backup = world.database.copy()
        world.note("the topic is made anew")
        if self.choices.chance(128):
            world.group.commits.clear()

    # The end.

    def settle(self) -> None:
        """No more faults: everything must be metered soon, and be right."""
        world = self.world
        world.calm = True
        world.note("calm")
        if world.lost:
            self._refuses_to_go_on()
            return
        self._frozen.clear()
        if world.unaccepted and not world.live:
            world.accept_restore()
        for _ in range(ROUNDS_MAX):
            self._keep_going()
            for process in world.live:
                for item in self._pressing_of(process.items()):
                    if not process.dead and (item.name == "go on" or item.ready()):
                        process.happen(item, 10_000)
                        world.look_after()
                        world.check()
            if self._at_rest():
                break
        else:
            world.violated(f"no progress: {self._told()}")
        self._judge_end()
        world.check()

    def _refuses_to_go_on(self) -> None:
        """A worker that starts where records are gone must say so, and meter nothing."""
        world = self.world
        process = world.start_worker(world.hosts[0])
        world.group.rebalance([process])
        for _ in range(ROUNDS_MAX):
            for item in process.items():
                if not process.dead and item.ready():
                    process.happen(item, 10_000)
                    world.look_after()
                    world.check()
            if process.dead:
                return
        world.violated("records were deleted that nobody metered, and nobody says so")
        world.check()

    def _keep_going(self) -> None:
        """Do what an operator does, and Kafka's group."""
        world = self.world
        if not world.live:
            world.start_worker(world.hosts[0])
        members = world.group.members
        if any(one.dead for one in members) or any(one not in members for one in world.live):
            world.group.rebalance(world.live)

    def _pressing_of(self, items: list[Item]) -> list[Item]:
        """Those that are not the mere passing of time, where there are any."""
        return [item for item in items if not item.name.startswith("time ")] or items

    def _at_rest(self) -> bool:
        world = self.world
        for partition in world.log.partitions:
            stored = world.database.checkpoints.get((world.log.name, partition.number))
            if partition.end and (stored is None or stored.next_offset < partition.end):
                return False
        return all(not self._pressing(process) for process in world.live)

    def _pressing(self, process: WorkerProcess) -> bool:
        return any(not item.name.startswith("time ") for item in process.items())

    def _judge_end(self) -> None:
        world = self.world
        for family in FAMILY_NAMES:
            found, wanted = world.database.view(family), true_view(world.logs, family)
            if found != wanted:
                world.violated(f"the {family} view says {found}, {wanted} is right")
        for process in world.live:
            held, states = world.files.held_by(process), len(process.app.meter.states)
            if held != states:
                world.violated(f"{process} has {states} partitions and holds {held} stores")

    def _told(self) -> str:
        world = self.world
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


@contextmanager
def model(*, rocksdb: bool = False) -> Iterator[None]:
    """Put the parts of the code that touch the outside under the schedules' control."""

    def current() -> Any:
        assert Files.now is not None
        return Files.now._world.current

    with modelled_files(rocksdb=rocksdb), pytest.MonkeyPatch.context() as patch:
        patch.setattr(*signals_to(current))
        for module in (log_time, timing):
            patch.setattr(module, "CLOCK_STEP_MAX_MS", CLOCK_STEP_MS, raising=False)
        patch.setattr(DatabaseWentBackError, "__init__", noticed_going_back(None))
        yield


def run_schedule(data: bytes, folder: Path) -> list[str]:
    """Run one schedule in a folder of its own; give what happened. Raises `Violation`."""
    shutil.rmtree(folder, ignore_errors=True)
    schedule = Schedule(data, folder)
    schedule.run()
    return schedule.world.trace
