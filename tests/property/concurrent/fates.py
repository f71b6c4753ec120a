"""What becomes of calls and of steps of disks, as a schedule draws it or an event says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tests.property.concurrent.choices import Choices
from tests.property.concurrent.files import READ, WRITE
from tests.property.concurrent.profile import Profile

if TYPE_CHECKING:
    from tests.property.concurrent.process import Process

FAILS = ("fails before", "fails after", "fails in part")
KILLS = ("killed before", "killed after", "killed in part")
FILE_FATES = ("fails before", "fails after", "killed before", "killed after")


class Fates:
    """Says what befalls processes at their edges."""

    def __init__(self, choices: Choices, drawn: Profile) -> None:
        self.choices = choices
        self.profile = drawn
        self.trace: list[str] = []
        #: No faults any more: everything must come to its end.
        self.calm = False
        #: For how many steps more Kafka or ClickHouse does not answer.
        self.away: dict[str, int] = {}
        #: For how many steps more questions that begin like this are not answered, or refused.
        self.failing: dict[str, int] = {}
        self.refusing: dict[str, int] = {}

    def note(self, text: str) -> None:
        """Add a line to the schedule as it is told when it fails."""
        self.trace.append(text)

    def fate(self, process: Process, whom: str, what: str) -> str:
        """Say what becomes of a call."""
        if self.calm:
            return "works"
        if self._is_away(whom, what) or self.choices.chance(self.profile.fault_rate):
            fate = self.choices.pick(FAILS)
        elif self.choices.chance(self.profile.kill_rate):
            fate = self.choices.pick(KILLS)
        elif _begins(what, self.refusing) or self.choices.chance(self.profile.refusal_rate):
            fate = "refused"
        else:
            return "works"
        self.note(f"  {process}: {what} {fate}")
        return fate

    def _is_away(self, whom: str, what: str) -> bool:
        return self.away.get(whom, 0) > 0 or _begins(what, self.failing)

    def pass_a_step(self) -> None:
        """One step of those is over for which something is away."""
        for lasting in (self.away, self.failing, self.refusing):
            for what in lasting:
                lasting[what] -= 1

    def file_fate(self, process: Process, kind: str, what: str) -> str:
        """Say what becomes of a step of a disk."""
        if self.calm:
            return "works"
        if kind == WRITE and process.host.disk_full:
            fate = "full"
        elif kind == READ and self.choices.chance(self.profile.read_fault_rate):
            fate = "fails before"
        elif kind != READ and self.choices.chance(self.profile.file_fault_rate):
            fate = self.choices.pick(FILE_FATES)
        else:
            return "works"
        self.note(f"  {process}: {what}: {fate}")
        return fate

    def jitter(self, least: float, most: float) -> float:
        """A number between two, as `random.uniform` gives it."""
        return most if self.calm else least + (most - least) * self.choices.byte() / 255

    def priority(self) -> int:
        """How soon a thing that comes up is to happen."""
        return self.choices.byte() if self.profile.by_priority and not self.calm else 0

    def answers_late(self) -> bool:
        """Whether an answer is on its way for a while."""
        return not self.calm and self.choices.chance(self.profile.late_answer_rate)

    def steps_through(self) -> bool:
        """Whether other things may happen between the steps of a call in a thread."""
        return not self.calm and self.choices.chance(self.profile.step_through_rate)

    def fetch_size(self) -> int:
        """How many offsets of a partition a fetch brings."""
        return 100 if self.calm else self.choices.pick([1, 2, 3, 5, 100])

    def fetch_finds_nothing(self) -> bool:
        """Whether a fetch comes back with nothing although there is something."""
        return not self.calm and self.choices.chance(10)

    def cut_off(self, whom: str, steps: int) -> None:
        """Let Kafka or ClickHouse not answer for so many steps."""
        self.away[whom] = steps
        self.note(f"{whom} is away for {steps} steps")

    def let_fail(self, begin: str, steps: int) -> None:
        """Let questions that begin like this not be answered for so many steps, and others be."""
        self.failing[begin] = steps
        self.note(f"no {begin} is answered for {steps} steps")

    def let_be_refused(self, begin: str, steps: int) -> None:
        """Let questions that begin like this be refused for good for so many steps."""
        self.refusing[begin] = steps
        self.note(f"each {begin} is refused for {steps} steps")


def _begins(what: str, lasting: Mapping[str, int]) -> bool:
    return any(what.startswith(begin) for begin, steps in lasting.items() if steps > 0)
