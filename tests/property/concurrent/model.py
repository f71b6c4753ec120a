"""The world of a schedule: logs, database, machines, processes, and what is broken in it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.aggregator.errors import (
    DatabaseBehindError,
    DatabaseWentBackError,
    EventsLostError,
    PartitionsChangedError,
)
from services.platform.errors import ConfigurationError, WattokenError
from services.platform.kafka_questions import Commit
from tests.property.concurrent.choices import Choices
from tests.property.concurrent.database import Database
from tests.property.concurrent.fates import Fates
from tests.property.concurrent.files import Files
from tests.property.concurrent.group import Group
from tests.property.concurrent.log import ModelLog
from tests.property.concurrent.loop import Clock
from tests.property.concurrent.process import Process
from tests.property.concurrent.profile import RULES, Profile
from tests.property.concurrent.worker import WorkerProcess

#: More steps than anything is held up for.
STEPS_MAX = 1000
T0_MS = int(datetime(2026, 3, 15, 12, 0, tzinfo=UTC).timestamp() * 1000)


class Violation(AssertionError):
    """Something is so that must never be; the text has the schedule up to there."""

    #: What broke a process, where that is it.
    error: BaseException | None = None


@dataclass(slots=True)
class Host:
    """A machine, with a disk that outlives processes."""

    name: str
    folder: Path
    disk_full: bool = False


class World(Fates):
    """Everything that there is in one schedule."""

    def __init__(self, choices: Choices, drawn: Profile, folder: Path) -> None:
        super().__init__(choices, drawn)
        self.clock = Clock()
        self.now_ms = T0_MS
        #: The process that is at work; None while the schedule itself is.
        self.current: Process | None = None
        self.violation: str | None = None
        self.error: BaseException | None = None
        self.files = Files(self)
        self.hosts = [
            Host(f"host-{number}", folder / f"host-{number}") for number in range(drawn.hosts)
        ]
        for host in self.hosts:
            host.folder.mkdir(parents=True)
        self.logs = [ModelLog("cluster/log-0", drawn.partitions, RULES)]
        self.database = Database(self.violated)
        self.backup = self.database.copy()
        self.restores = 0
        #: Restored, and the group's commits are not yet set back.
        self.unaccepted = False
        #: Records were deleted that nobody metered: no worker may go on.
        self.lost = False
        #: Partitions were added to the topic: nothing that came since may be metered.
        self.grown = False
        self.group = Group(self)
        self.processes: list[WorkerProcess] = []
        self.started = 0
        #: For how many steps more processes do nothing.
        self.frozen: dict[WorkerProcess, int] = {}

    @property
    def log(self) -> ModelLog:
        """What the topic is now."""
        return self.logs[-1]

    @property
    def live(self) -> list[WorkerProcess]:
        """The processes that run."""
        return [process for process in self.processes if not process.dead]

    # Telling.

    def violated(self, text: str, error: BaseException | None = None) -> None:
        """Note that something is so that must never be; raised when the schedule has control."""
        if self.violation is None:
            self.violation, self.error = text, error
            self.note(f"WRONG: {text}")

    def check(self) -> None:
        """Raise `Violation` where there was one."""
        if self.violation is not None:
            violation = Violation("\n".join([self.violation, *self.trace]))
            violation.error = self.error
            raise violation

    def pass_time(self, pause_ms: int) -> None:
        """Let time go by for brokers and processes alike."""
        self.now_ms += pause_ms
        self.clock.now_seconds += pause_ms / 1000

    # Workers and their group.

    def start_worker(self, host: Host) -> WorkerProcess:
        """Start a worker; it joins the group."""
        assert not self.grown, "an operator does not start workers on a topic that grew"
        process = WorkerProcess(self, f"worker-{self.started}", host)
        self.started += 1
        self.processes.append(process)
        self.note(f"{process} starts on {host.name}")
        self.group.rebalance([*self.group.members, process])
        return process

    def assign(self, members: Sequence[WorkerProcess]) -> dict[WorkerProcess, set[int]]:
        """Share the partitions out."""
        shares: dict[WorkerProcess, set[int]] = {member: set() for member in members}
        for partition in range(len(self.log.partitions)):
            shares[self.choices.pick(members)].add(partition)
        self.note(f"  generation {self.group.generation}: {shares}")
        return shares

    def judge_commit(self, process: WorkerProcess, partition: int, offset: int) -> None:
        """A commit must not be ahead of the checkpoint, which alone is the truth."""
        stored = self.database.checkpoints.get((process.app.log_read.name, partition))
        known = 0 if stored is None else stored.next_offset
        if offset > known and not self.restores:
            self.violated(
                f"{process} commits {offset} of partition {partition}, checkpoint {known}"
            )

    def kill(self, process: WorkerProcess) -> None:
        """End a process between two steps, without a word."""
        self.note(f"{process} is killed")
        process.end()

    def time_out(self, process: WorkerProcess) -> None:
        """Let the group think that a process is dead."""
        self.note(f"{process} times out")
        self.group.rebalance([one for one in self.group.members if one is not process])

    def freeze(self, process: WorkerProcess, steps: int) -> None:
        """Let a process do nothing for so many of its steps."""
        self.frozen[process] = steps
        self.note(f"{process} is frozen for {steps} steps")

    def thaw(self) -> None:
        """One step of those that are frozen or held up has passed."""
        for process in self.live:
            process.tick(1)
        self.frozen = {
            process: steps - 1
            for process, steps in self.frozen.items()
            if steps > 1 and not process.dead
        }

    @property
    def held_up(self) -> bool:
        """Whether something is frozen or held up."""
        return bool(self.frozen) or any(process.held_up for process in self.live)

    def let_go_on(self) -> None:
        """Let all go on that is frozen or held up."""
        self.frozen.clear()
        for process in self.live:
            process.tick(STEPS_MAX)

    def look_after(self) -> None:
        """See to processes that ended, and judge why."""
        for process in self.live:
            if process.doomed:
                process.end()
                continue
            error = process.broken()
            if error is not None:
                self.violated(f"{process} breaks: {error!r}", error)
                process.end()
            elif process.stopping is not None and process.stopping.done():
                self.note(f"{process} ends: {process.app.failure!r}")
                process.end()
                self.time_out(process)
                if process.app.failure is not None:
                    self._judge(process, process.app.failure)
            else:
                unmetered = process.unmetered()
                if unmetered:
                    self.violated(f"{process} has partitions {unmetered}, and meters none of them")

    def _judge(self, process: WorkerProcess, failure: Exception) -> None:
        if isinstance(failure, DatabaseBehindError) and self.unaccepted:
            # Accepted only while no worker runs.
            for other in self.live:
                self.kill(other)
            self.accept_restore()
            return
        expected = (
            (isinstance(failure, ConfigurationError) and process.refused)
            or (isinstance(failure, WattokenError) and process.outlived_its_log)
            or (isinstance(failure, PartitionsChangedError) and self.grown)
            or (isinstance(failure, EventsLostError) and self.lost)
        )
        if not expected:
            self.violated(f"{process} stops for nothing: {failure!r}", failure)

    def went_back_in_time(self, text: str) -> None:
        """A worker says that the database went back in time."""
        process = self.current
        self.note(f"  {process}: {text}")
        if isinstance(process, WorkerProcess) and process.restores_seen == self.restores:
            self.violated(f"{process} takes the database for one that went back: {text}")

    # What operators do.

    def accept_restore(self) -> None:
        """Set the group's commits back to the checkpoints."""
        self.note("restore accepted")
        self.unaccepted = False
        for partition, commit in list(self.group.commits.items()):
            stored = self.database.checkpoints.get((self.log.name, partition))
            known = 0 if stored is None else stored.next_offset
            if commit.offset > known:
                self.group.commits[partition] = Commit(known, self.log.name)

    def end(self) -> None:
        """Leave nothing behind."""
        for process in self.live:
            process.end()
        Files.now = None
        for host in self.hosts:
            shutil.rmtree(host.folder, ignore_errors=True)


def noticed_going_back(world_at_hand: Any) -> Any:
    """Make the initialiser of `DatabaseWentBackError` that tells the world."""

    def noticed(self: DatabaseWentBackError, text: str) -> None:
        Exception.__init__(self, text)
        if Files.now is not None:
            Files.now._world.went_back_in_time(text)

    return noticed
