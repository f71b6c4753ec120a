"""Copies of runs of ids: which runs are copied, and which copies are of use to whoever takes over.

A copy is as good as the run: right at every checkpoint at or beyond its end, whoever made it. So
runs on disk and copies are one set, of which those are used that join. Copies lag behind, by
minutes: what was seen since is read from the log. With them the log may be shorter than ids matter;
what it does not have any more is known by them alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from services.aggregator.arrays.cuts import Cut
from services.aggregator.core.runs import HasStretch, Settled, Stretch, disjoint

#: So many ids are due to be copied, however young they are.
DUE_IDS: Final = 500_000
#: A merged run is copied once more when it takes the place of so many copies: so there are never
#: many, and each id is copied about twice.
REPLACED_MIN = 32
#: Reading a record of the log again takes as long as fetching so many ids.
IDS_A_RECORD: Final = 20


@dataclass(frozen=True, slots=True)
class Copied:
    """A copy: what the run is of, the number that only this file has, its pieces and bytes."""

    stretch: Stretch
    token: int
    pieces: int
    file_bytes: int


R = TypeVar("R", bound=HasStretch)


def reaches_back(run: HasStretch, settled: Settled) -> bool:
    """Whether nothing that matters was seen before a run."""
    return run.stretch.begin.log_ms <= settled.past_ms


def complete(runs: Sequence[HasStretch], settled: Settled) -> bool:
    """Whether runs that `core.runs.usable` gave leave nothing to be looked for elsewhere."""
    if not runs or runs[-1].stretch.end.offset < settled.offset:
        return False
    first = len(runs) - 1
    while first and runs[first - 1].stretch.end.offset == runs[first].stretch.begin.offset:
        first -= 1
    return any(reaches_back(run, settled) for run in runs[first:])


@dataclass(frozen=True, slots=True)
class _Chain:
    """Runs of which each joins the one before; ``first`` is where they begin."""

    first: HasStretch
    cost: int
    before: _Chain | None
    last: HasStretch

    def runs(self) -> list[HasStretch]:
        found, chain = [self.last], self.before
        while chain is not None:
            found.append(chain.last)
            chain = chain.before
        return found[::-1]


def best(runs: Sequence[R], settled: Settled, start: int, cost: Callable[[R], int]) -> list[R]:
    """The runs to be used at a checkpoint, in order; reading begins where the last of them ends.

    ``start`` is the first offset that can be read, as `core.runs.usable` has it; ``cost`` how many
    ids of a run would have to be fetched. The chain is used that leaves the least unknown, and of
    those the cheapest, with what is left to be read. Where it does not reach back as far as ids
    matter, what is known of the time before is used as well: an answer of it is right, as far as it
    goes.
    """
    below = [run for run in runs if run.stretch.end.offset <= settled.offset]
    chains: dict[int, _Chain] = {}

    def rank(chain: _Chain) -> tuple[bool, int, int]:
        back = reaches_back(chain.first, settled)
        return back, 0 if back else -chain.first.stretch.begin.log_ms, -chain.cost

    for run in sorted(below, key=lambda one: (one.stretch.begin.offset, one.stretch.end.offset)):
        begin, end = run.stretch.begin.offset, run.stretch.end.offset
        found = []
        if reaches_back(run, settled) or begin <= start:
            found.append(_Chain(run, cost(run), None, run))
        if (before := chains.get(begin)) is not None:
            found.append(_Chain(before.first, before.cost + cost(run), before, run))
        for chain in found:
            if end not in chains or rank(chain) > rank(chains[end]):
                chains[end] = chain
    useful = [
        chain
        for end, chain in chains.items()
        # What was inherited is there as a whole, or not at all; of long ago nothing is of use.
        if end >= 0 and chain.last.stretch.end.log_ms > settled.past_ms
    ]
    if not useful:
        return []

    def worth(chain: _Chain) -> tuple[bool, bool, int, int]:
        end = chain.last.stretch.end.offset
        back, first_ms, cheap = rank(chain)
        return end >= start, back, first_ms, cheap - IDS_A_RECORD * (settled.offset - end)

    chosen: list[R] = max(useful, key=worth).runs()  # type: ignore[assignment]
    if reaches_back(chosen[0], settled):
        return chosen
    first = chosen[0].stretch.begin.offset
    older = [run for run in disjoint(below, first) if run.stretch.end.log_ms > settled.past_ms]
    return [*older, *chosen]


def to_copy(
    runs: Sequence[R], copies: Sequence[Copied], settled: Settled, until_ms: int
) -> R | None:
    """The run to be copied next; None where none is due.

    Of what lies below the checkpoint, the oldest first. What was seen up to ``until_ms``, in log
    time, is due. Copies count only as far as they join: what a worker without a disk would use of
    copies and of all that is to be one is worked out, and what of it is none yet is copied.
    """
    held = disjoint(runs, settled.offset)
    if not held:
        return None
    copies = [one for one in copies if one.stretch.end.offset <= settled.offset]
    start = held[0].stretch.begin.offset
    both: list[R | Copied] = [*copies, *held]
    missing = best(both, settled, start, _is_run)
    wanted = {id(one) for one in missing}
    for run in held:
        end = run.stretch.end
        at, count, ids = _copied_within(run, copies)
        if at.offset == end.offset:
            if count >= REPLACED_MIN and end.log_ms > settled.past_ms:
                return run
        elif id(run) in wanted and (at.log_ms <= until_ms or run.stretch.count - ids >= DUE_IDS):
            return run
    return None


def _is_run(one: HasStretch) -> int:
    """1 for what has to be copied before it is of use elsewhere; less than any record costs."""
    return not isinstance(one, Copied)


def _copied_within(run: HasStretch, copies: Sequence[Copied]) -> tuple[Cut, int, int]:
    """Up to where copies within a run join from its beginning on; how many, of how many ids."""
    ends: dict[int, Copied] = {}
    for one in copies:
        begin, end = one.stretch.begin.offset, one.stretch.end.offset
        if end <= run.stretch.end.offset and (
            begin not in ends or ends[begin].stretch.end.offset < end
        ):
            ends[begin] = one
    at, count, ids = run.stretch.begin, 0, 0
    while (longest := ends.get(at.offset)) is not None:
        at, count, ids = longest.stretch.end, count + 1, ids + longest.stretch.count
    return at, count, ids
