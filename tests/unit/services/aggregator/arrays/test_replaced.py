from __future__ import annotations

import numpy as np

from services.aggregator.arrays.replaced import Replaced


def noted(*rows: tuple[int, int, int]) -> Replaced:
    """Ids seen at one time and at another again, each in a batch of its own."""
    replaced = Replaced()
    for number, seen_ms, again_ms in rows:
        replaced.add(np.array([[number, 7]], np.uint64), np.array([seen_ms]), np.array([again_ms]))
    return replaced


def before(replaced: Replaced, time_ms: int) -> list[tuple[int, int]]:
    ids, seen_ms = replaced.before(time_ms)
    return list(zip(ids[:, 0].tolist(), seen_ms.tolist(), strict=True))


def test_the_oldest_come_first_whenever_they_were_noted() -> None:
    replaced = noted((1, 30, 99), (2, 10, 99), (3, 20, 99))
    assert before(replaced, 31) == [(2, 10), (3, 20), (1, 30)]
    assert before(replaced, 30) == [(2, 10), (3, 20)]
    replaced.drop_oldest(1)
    assert before(replaced, 31) == [(3, 20), (1, 30)]


def test_settled_is_what_was_seen_again_below_the_checkpoint() -> None:
    replaced = noted((1, 10, 39), (2, 10, 40), (3, 10, 41))
    replaced.settle(log_ms=40, past_ms=0)
    assert before(replaced, 99) == [(2, 10), (3, 10)]


def test_what_is_past_matters_no_more() -> None:
    replaced = noted((1, 10, 99), (2, 11, 99))
    replaced.settle(log_ms=40, past_ms=10)
    assert before(replaced, 99) == [(2, 11)]


def test_two_sightings_at_one_time_are_never_told_apart() -> None:
    assert before(noted((1, 10, 10)), 99) == []


def test_what_is_noted_later_joins_what_is_there() -> None:
    replaced = noted((1, 20, 99))
    assert before(replaced, 99) == [(1, 20)]
    replaced.add(np.array([[2, 7]], np.uint64), np.array([10]), np.array([99]))
    assert before(replaced, 99) == [(2, 10), (1, 20)]
    replaced.drop_oldest(2)
    assert before(replaced, 99) == []
