"""What partitions saw comes out oldest first, whole, and as soon as nothing older can come."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.arrays.time_merge import NEVER, Sighted, TimeMerge, together

#: By partition: how long after the one before each sighting comes.
LOGS = st.lists(st.lists(st.integers(0, 3), max_size=12), min_size=1, max_size=4)


def sighted(partition: int, first: int, times_ms: Sequence[int]) -> Sighted:
    """Sightings whose ids tell where they come from."""
    ids = [(partition, first + number) for number in range(len(times_ms))]
    return Sighted(
        np.array(ids, np.uint64).reshape(-1, 2),
        np.array(times_ms, np.int64),
        np.full(len(times_ms), partition),
    )


@given(LOGS, st.data())
def test_all_comes_once_oldest_first_and_never_early(
    steps: list[list[int]], data: st.DataObject
) -> None:
    logs = {at: np.cumsum([0, *gaps])[1:].tolist() for at, gaps in enumerate(steps)}
    left = {at: list(times) for at, times in logs.items()}
    merge = TimeMerge(logs)
    taken: list[Sighted] = []
    going_on = set(logs)
    while going_on:
        at = data.draw(st.sampled_from(sorted(going_on)))
        count = data.draw(st.integers(min(1, len(left[at])), len(left[at])))
        times, left[at] = left[at][:count], left[at][count:]
        if times:
            first = len(logs[at]) - len(left[at]) - count
            merge.add(at, sighted(at, first, times), times[-1])
        if not left[at]:
            merge.finish(at)
            going_on.discard(at)
        taken.append(merge.take())
        # Nothing that is still to come is older than what was handed on.
        done_ms = max([int(part.times_ms.max(initial=0)) for part in taken])
        assert all(done_ms <= times[0] for times in left.values() if times)
    whole = together(taken)
    assert (np.diff(whole.times_ms) >= 0).all()
    for at, times in logs.items():
        own = whole.only(whole.owners == at)
        assert own.times_ms.tolist() == times
        assert own.ids.tolist() == [[at, number] for number in range(len(times))]
    assert merge.reached_ms == NEVER
    assert [merge.held(at) for at in logs] == [0] * len(logs)


def test_a_silent_partition_holds_the_others_until_it_is_read_or_finished() -> None:
    merge = TimeMerge([0, 1])
    merge.add(0, sighted(0, 0, [1, 5]), 5)
    assert len(merge.take()) == 0
    assert merge.held(0) == 2
    merge.add(1, sighted(1, 0, []), 3)
    assert merge.take().times_ms.tolist() == [1]
    merge.finish(1)
    assert merge.take().times_ms.tolist() == [5]


def test_equal_times_do_not_wait_for_one_another() -> None:
    merge = TimeMerge([0, 1])
    merge.add(0, sighted(0, 0, [4]), 4)
    merge.add(1, sighted(1, 0, [4]), 4)
    assert merge.take().owners.tolist() == [0, 1]


def test_what_came_in_parts_is_handed_on_together() -> None:
    merge = TimeMerge([0, 1])
    for number in range(3):
        merge.add(0, sighted(0, number, [number]), number)
    merge.add(1, sighted(1, 0, []), 1)
    assert merge.take().times_ms.tolist() == [0, 1]
    assert (merge.held(0), merge.held(1)) == (1, 0)


def test_a_partition_of_which_nothing_is_known_may_have_seen_anything() -> None:
    merge = TimeMerge([0, 1])
    merge.add(0, sighted(0, 0, [1]), 1)
    assert len(merge.take()) == 0
    assert merge.reached_ms == 0
    merge.add(0, sighted(0, 1, []), 0)
    merge.finish(1)
    assert merge.reached_ms == 1, "what was reached is not taken back"
