from __future__ import annotations

import random

from services.aggregator.core.id_filter import IdFilter


def test_never_says_no_to_what_is_in_and_seldom_yes_to_the_rest() -> None:
    chance = random.Random(7)
    ids = [chance.randbytes(16) for _ in range(20_000)]
    inside, outside = ids[:10_000], ids[10_000:]
    filter_ = IdFilter.of_size(10_000 * 12 // 8)
    filter_.add(inside)
    assert filter_.perhaps(inside) == list(range(10_000))
    assert len(filter_.perhaps(outside)) < 600, "about 3 in 100 at 12 bits an id"


def test_empty() -> None:
    filter_ = IdFilter.of_size(0)
    filter_.add([])
    assert filter_.perhaps([]) == []
    assert filter_.perhaps([b"x" * 16]) == []
