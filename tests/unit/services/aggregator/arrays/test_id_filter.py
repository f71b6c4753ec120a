from __future__ import annotations

import numpy as np

from services.aggregator.arrays.byte_spans import Words
from services.aggregator.arrays.id_filter import IdFilter


def drawn(count: int) -> Words:
    return np.random.default_rng(7).integers(0, 2**64, (count, 2), np.uint64)


def test_never_says_no_to_what_is_in_and_seldom_yes_to_the_rest() -> None:
    ids = drawn(20_000)
    inside, outside = ids[:10_000], ids[10_000:]
    filter_ = IdFilter.of_size(10_000 * 12 // 8)
    filter_.add(inside[:4_000])
    filter_.add(inside[4_000:])
    assert filter_.maybe_contains(inside).tolist() == list(range(10_000))
    assert len(filter_.maybe_contains(outside)) < 600, "about 3 in 100 at 12 bits an id"


def test_gives_the_indexes_of_what_may_be_in() -> None:
    ids = drawn(8)
    filter_ = IdFilter.of_size(1 << 16)
    filter_.add(ids[[1, 3, 3, 6]])
    assert filter_.maybe_contains(ids).tolist() == [1, 3, 6]
    assert filter_.maybe_contains(ids[::-1]).tolist() == [1, 4, 6]


def test_the_words_are_all_there_is_to_it() -> None:
    ids = drawn(500)
    filter_ = IdFilter.of_size(4096)
    filter_.add(ids[:250])
    again = IdFilter(np.frombuffer(filter_.words.tobytes(), np.uint64))
    assert again.maybe_contains(ids).tolist() == filter_.maybe_contains(ids).tolist()


def test_empty() -> None:
    filter_ = IdFilter.of_size(0)
    filter_.add(drawn(0))
    assert filter_.maybe_contains(drawn(0)).tolist() == []
    assert filter_.maybe_contains(drawn(1)).tolist() == []
