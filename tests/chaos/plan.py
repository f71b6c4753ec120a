"""PURE: the schedule. The seed decides every fault: kind, target, way, start and length.

Faults come in rounds: those of one round overlap, and the next round begins when the meter has
got over the last. So a schedule says what happens, in which order and how long, and the log of a
run says when each round began.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from tests.chaos.catalogue import FAMILIES, KIND_BY_NAME, KINDS, Kind

FAULTS_IN_ROUND: Final = (5, 8)
START_SECONDS_MAX: Final = 4.0
#: No round is over sooner; so many rounds are enough for any run of so many minutes.
ROUND_SECONDS_MIN: Final = 6.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. ``start_seconds`` counts from its round's begin."""

    number: int
    kind: str
    target: str
    choice: str
    start_seconds: float
    seconds: float

    def __str__(self) -> str:
        way = f", {self.choice}" if self.choice else ""
        return f"#{self.number} {self.kind} {self.target}{way}, {self.seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole schedule; the seed also decides what the senders send."""

    seed: int
    minutes: float
    rounds: tuple[tuple[Fault, ...], ...]

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON knows it."""
        rounds = [[asdict(fault) for fault in each] for each in self.rounds]
        return {"seed": self.seed, "minutes": self.minutes, "rounds": rounds}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """Read what `to_json` gave. Raises `KeyError` or `TypeError` where it is no such thing."""
        rounds = tuple(tuple(Fault(**fault) for fault in each) for each in data["rounds"])
        return cls(int(data["seed"]), float(data["minutes"]), rounds)


def chosen_kinds(names: Iterable[str]) -> tuple[Kind, ...]:
    """The kinds of these names, each of a kind or a family; all if there are none.

    Raises `ValueError` that names what there is instead.
    """
    wanted = [name for name in names if name]
    unknown = [name for name in wanted if name not in KIND_BY_NAME and name not in FAMILIES]
    if unknown:
        known = ", ".join([*FAMILIES, *KIND_BY_NAME])
        raise ValueError(f"no kind or family of faults is named {unknown[0]!r}; there are: {known}")
    if not wanted:
        return KINDS
    return tuple(kind for kind in KINDS if kind.name in wanted or kind.family in wanted)


def draw_plan(seed: int, minutes: float, kinds: Sequence[Kind]) -> Plan:
    """Draw a schedule that lasts so many minutes at least. The same input gives the same plan.

    Every kind comes as often as its weight says before any comes more often.
    """
    if not kinds:
        raise ValueError("a schedule needs at least one kind of fault")
    draw = random.Random(seed)
    deck = Deck(kinds, draw)
    numbers = iter(range(1, 10**9))
    count = max(1, round(minutes * 60 / ROUND_SECONDS_MIN))
    rounds = tuple(tuple(draw_round(deck, draw, numbers)) for _ in range(count))
    return Plan(seed, minutes, rounds)


class Deck:
    """Kinds to come, shuffled again when all came; those that did not fit wait in front."""

    def __init__(self, kinds: Sequence[Kind], draw: random.Random) -> None:
        self._cards = [kind for kind in kinds for _ in range(kind.weight)]
        self._draw = draw
        self._left: list[Kind] = []

    def take(self) -> Kind:
        """The next kind."""
        if not self._left:
            self._left = list(self._cards)
            self._draw.shuffle(self._left)
        return self._left.pop()

    def put_back(self, kinds: Iterable[Kind]) -> None:
        """Have these come next, in this order."""
        self._left.extend(reversed(list(kinds)))


def draw_round(deck: Deck, draw: random.Random, numbers: Iterator[int]) -> list[Fault]:
    """Draw the faults of a round: none needs what another has."""
    wanted = draw.randint(*FAULTS_IN_ROUND)
    faults: list[Fault] = []
    taken: set[str] = set()
    waiting: list[Kind] = []
    for _ in range(3 * wanted):
        if len(faults) == wanted:
            break
        kind = deck.take()
        targets = [target for target in kind.targets if taken.isdisjoint(kind.touched(target))]
        if not targets:
            waiting.append(kind)
            continue
        target = draw.choice(targets)
        taken |= kind.touched(target)
        start = round(draw.uniform(0, START_SECONDS_MAX), 2) if faults else 0.0
        seconds = round(draw.uniform(*kind.seconds), 2)
        choice = draw.choice(kind.choices)
        faults.append(Fault(next(numbers), kind.name, target, choice, start, seconds))
    deck.put_back(waiting)
    return sorted(faults, key=lambda fault: (fault.start_seconds, fault.number))
