"""The consumer group: who has which partitions, and what was committed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from faust.types import TP

from services.platform.kafka_questions import Commit

if TYPE_CHECKING:
    from tests.property.concurrent.worker import WorkerProcess


class Group:
    """The group as its coordinator sees it."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self.generation = 0
        self.members: list[WorkerProcess] = []
        self.commits: dict[int, Commit] = {}
        self._assignments: dict[WorkerProcess, set[int]] = {}

    def rebalance(self, members: Iterable[WorkerProcess]) -> None:
        """Begin a new generation with these members; each has to give away and join again."""
        self.members = list(members)
        self.generation += 1
        self._assignments = {}
        for member in self.members:
            member.take_part()

    def join(self, process: WorkerProcess) -> Any:
        """Give the effect and the condition of a member's joining."""

        def ready() -> bool:
            if self._assignments:
                return process in self._assignments
            return process in self.members and all(one.joining for one in self.members)

        def effect() -> tuple[set[int], int]:
            if not self._assignments:
                self._assignments = self._world.assign(self.members)
            return self._assignments.pop(process), self.generation

        return effect, ready

    def commit(self, process: WorkerProcess, generation: int, offsets: Mapping[TP, int]) -> None:
        """Take a commit of a member; Kafka refuses one of an older generation."""
        if process not in self.members or generation != self.generation:
            return
        for where, offset in offsets.items():
            self._world.judge_commit(process, where.partition, offset)
            self.commits[where.partition] = Commit(offset, process.app.consumer.log_name)
