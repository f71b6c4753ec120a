"""PURE. What the registers must hold of the canary, and which of its events they hold.

Events are numbered from 1 for as long as a canary's name is used. Each has as many input tokens as
the others, and a mark of its own as output tokens: what the registers hold says by itself which
events it is the sum of, whoever sent them, and whether one of them is there twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, combinations
from typing import Final

#: Of a round. Never change it, nor what follows: a canary of before numbered and marked by it.
ROUND_EVENTS: Final = 8
#: Of each event; a prime, so that no mistake looks like another.
INPUT_TOKENS: Final = 89
#: An event's place in its round is a power of two below this, so that the sum of some of a round
#: says which they are.
_PLACES: Final = 1 << ROUND_EVENTS
#: Above that, a number of the round. Cubes modulo such a prime, one less than a multiple of three,
#: are all different and in no order: rounds that are there twice do not look like those after them.
_ROUNDS: Final = 101
_PERIOD: Final = _ROUNDS * ROUND_EVENTS
_MARKS: Final = tuple(
    (1 << place) + _PLACES * (1 + pow(number, 3, _ROUNDS))
    for number in range(_ROUNDS)
    for place in range(ROUND_EVENTS)
)
#: The sums of the first so many marks, from none to all of them.
_UP_TO: Final = tuple(accumulate(_MARKS, initial=0))


def mark(number: int) -> int:
    """The output tokens of an event: 257 to 25,984, and those of no other near it."""
    return _MARKS[(number - 1) % _PERIOD]


@dataclass(frozen=True, slots=True)
class Metered:
    """What the registers hold of the canary."""

    events: int
    input_tokens: int
    output_tokens: int

    @property
    def whole(self) -> int:
        """The last number of the last round that is there as a whole, if nothing is wrong."""
        return self.events // ROUND_EVENTS * ROUND_EVENTS

    @property
    def is_right(self) -> bool:
        """Whether they hold whole rounds from the first on, each event once, and part of the next.

        That is all that may be so while nothing is lost and nothing counted twice, at whatever
        moment, of however old a reading, and after whatever lives of whatever canaries.
        """
        whole = self.whole
        rest = self.output_tokens - book(whole).output_tokens
        marks = [mark(number) for number in range(whole + 1, whole + 1 + ROUND_EVENTS)]
        return self.input_tokens == self.events * INPUT_TOKENS and any(
            sum(some) == rest for some in combinations(marks, self.events - whole)
        )

    @property
    def difference_tokens(self) -> tuple[int, int]:
        """Input and output tokens beyond those of as many events; below 0: lack. 0 where right.

        Which events they are is not known where it is wrong: the first ones are taken for it.
        """
        if self.is_right:
            return (0, 0)
        due = book(self.events)
        return (self.input_tokens - due.input_tokens, self.output_tokens - due.output_tokens)


def book(last: int) -> Metered:
    """What the registers hold once every event up to the number ``last`` was counted once."""
    periods, rest = divmod(last, _PERIOD)
    return Metered(last, last * INPUT_TOKENS, periods * _UP_TO[-1] + _UP_TO[rest])
