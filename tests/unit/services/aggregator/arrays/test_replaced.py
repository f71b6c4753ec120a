from __future__ import annotations

import numpy as np

from services.aggregator.arrays.replaced import Pairs, Replaced


def pairs(*rows: tuple[int, int, int, int, int]) -> Pairs:
    """Ids, when and from which offset on each was seen, and the same of the second time."""
    numbers, *columns = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    ids = np.stack((numbers.astype(np.uint64), np.full(len(numbers), 7, np.uint64)), axis=1)
    seen_ms, seen_from, again_ms, again_from = columns
    return Pairs(ids, seen_ms, seen_from, again_ms, again_from)


def noted(*rows: tuple[int, int, int, int, int]) -> Replaced:
    """The same, each in a batch of its own."""
    replaced = Replaced()
    for row in rows:
        replaced.add(pairs(row))
    return replaced


def until(replaced: Replaced, offset: int) -> list[tuple[int, int]]:
    found = replaced.until(offset)
    return list(zip(found.ids[:, 0].tolist(), found.seen_ms.tolist(), strict=True))


def test_the_oldest_come_first_whenever_they_were_noted() -> None:
    replaced = noted((1, 30, 5, 99, 9), (2, 10, 3, 99, 9), (3, 20, 3, 99, 9))
    assert len(replaced) == 3
    assert until(replaced, 5) == [(2, 10), (3, 20), (1, 30)]
    assert until(replaced, 4) == [(2, 10), (3, 20)]
    replaced.drop_oldest(1)
    assert until(replaced, 5) == [(3, 20), (1, 30)]


def test_where_log_time_stands_still_the_cuts_tell_the_order() -> None:
    assert until(noted((1, 30, 7, 30, 9), (2, 30, 3, 30, 9)), 8) == [(2, 30), (1, 30)]


def test_settled_is_what_was_seen_again_below_the_checkpoint() -> None:
    replaced = noted((1, 10, 0, 39, 5), (2, 10, 0, 40, 5), (3, 10, 0, 41, 4), (4, 10, 0, 40, 4))
    replaced.settle(log_ms=40, below=5, past_ms=0)
    assert until(replaced, 99) == [(2, 10)]


def test_what_is_past_matters_no_more() -> None:
    replaced = noted((1, 10, 0, 99, 9), (2, 11, 0, 99, 9))
    replaced.settle(log_ms=40, below=5, past_ms=10)
    assert until(replaced, 99) == [(2, 11)]


def test_two_sightings_that_nothing_tells_apart_are_one() -> None:
    assert until(noted((1, 10, 5, 10, 5)), 99) == []


def test_a_cut_between_tells_them_apart_and_so_does_time() -> None:
    assert until(noted((1, 10, 4, 10, 5), (2, 10, 5, 11, 5)), 99) == [(1, 10), (2, 10)]


def test_what_is_noted_later_joins_what_is_there() -> None:
    replaced = noted((1, 20, 2, 99, 9))
    assert until(replaced, 99) == [(1, 20)]
    replaced.add(pairs((2, 10, 1, 99, 9)))
    assert until(replaced, 99) == [(2, 10), (1, 20)]
    replaced.drop_oldest(2)
    assert until(replaced, 99) == []
