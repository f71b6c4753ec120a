from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.arrays.byte_spans import Words
from services.aggregator.arrays.id_filter import IdFilter, masks_of

RNG = np.random.default_rng(1)


def drawn(count: int) -> Words:
    return RNG.integers(0, 2**64, (count, 2), np.uint64)


def filled(ids: Words, room: int) -> IdFilter:
    """A filter with these ids, put in by pieces, in order of their first halves."""
    found = IdFilter.of_ids(room)
    ids = ids[np.argsort(ids[:, 0])]
    for piece in np.array_split(ids, 3):
        found.add(piece[:, 0], piece[:, 1])
    return found


def maybe(id_filter: IdFilter, ids: Words) -> list[int]:
    found: list[int] = id_filter.maybe_contains(ids[:, 0], masks_of(ids[:, 1])).tolist()
    return found


@given(st.integers(0, 300), st.integers(0, 500))
def test_what_was_put_in_is_always_found(count: int, room: int) -> None:
    ids = drawn(count)
    assert maybe(filled(ids, room), ids) == list(range(count))


def test_of_what_was_not_few_look_present() -> None:
    ids = drawn(200_000)
    found = maybe(filled(ids, len(ids)), drawn(200_000))
    assert 0 < len(found) < 0.01 * 200_000


def test_less_than_two_bytes_for_each_id() -> None:
    assert IdFilter.of_ids(1_000_000).words.nbytes == 1_625_000
    assert IdFilter.of_ids(0).words.nbytes == 8
    assert maybe(IdFilter.of_ids(0), drawn(9)) == []


def test_ids_at_both_ends_of_all_hashes() -> None:
    most = 2**64 - 1
    ids = np.array([(0, 0), (most, most), (most, 0)], np.uint64)
    assert maybe(filled(ids, 3), ids) == [0, 1, 2]
