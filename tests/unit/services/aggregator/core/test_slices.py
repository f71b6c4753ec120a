from __future__ import annotations

from schemas.metering_rules import MINUTE_MS
from services.aggregator.core.slices import FamilySlices, Series, SliceKey
from services.aggregator.core.windows import MINUTE, REGISTER

SERIES = Series("usage", "eu", "p", "m")
ONE = (1, 0, 10, 0, 0, 5, 0, 0)


def key(minute: int) -> SliceKey:
    return SliceKey(minute * MINUTE_MS, "", SERIES)


def test_adds_up_and_hands_over_what_changed_once() -> None:
    slices = FamilySlices(MINUTE, 0)
    slices.add(key(1), ONE)
    slices.add(key(1), ONE)
    assert slices.take_dirty() == [(key(1), (2, 0, 20, 0, 0, 10, 0, 0))]
    assert slices.take_dirty() == []
    slices.add(key(1), ONE)
    assert slices.take_dirty() == [(key(1), (3, 0, 30, 0, 0, 15, 0, 0))]


def test_what_was_handed_over_does_not_change_any_more() -> None:
    slices = FamilySlices(MINUTE, 0)
    slices.add(key(1), ONE)
    [(_, taken)] = slices.take_dirty()
    slices.add(key(1), ONE)
    assert taken == ONE


def test_a_row_ahead_of_the_reader_is_known_until_the_reader_is_level() -> None:
    slices = FamilySlices(REGISTER, 0)
    slices.load(key(0), ONE, version=8, position=5)
    assert slices.version_ahead(key(0)) == 8
    slices.reached(7)
    assert slices.version_ahead(key(0)) == 8
    slices.reached(8)
    assert slices.version_ahead(key(0)) == 0


def test_a_row_as_old_as_the_position_is_not_ahead() -> None:
    slices = FamilySlices(REGISTER, 0)
    slices.load(key(0), ONE, version=5, position=5)
    assert slices.version_ahead(key(0)) == 0


def test_old_windows_are_unknown_until_looked_up() -> None:
    slices = FamilySlices(MINUTE, loaded_from_ms=10 * MINUTE_MS)
    assert slices.is_unknown(key(9))
    assert not slices.is_unknown(key(10))
    slices.learn_absent(key(9))
    assert not slices.is_unknown(key(9))
    assert slices.take_dirty() == [], "learning of nothing is nothing to write"


def test_eviction_keeps_what_is_not_written_yet() -> None:
    slices = FamilySlices(MINUTE, 0)
    slices.add(key(1), ONE)
    slices.take_dirty()
    slices.add(key(2), ONE)
    slices.evict(before_ms=3 * MINUTE_MS)
    assert slices.is_unknown(key(1))
    assert not slices.is_unknown(key(2))
    assert slices.loaded_from_ms == 3 * MINUTE_MS


def test_eviction_never_moves_back() -> None:
    slices = FamilySlices(MINUTE, loaded_from_ms=5 * MINUTE_MS)
    slices.evict(before_ms=2 * MINUTE_MS)
    assert slices.loaded_from_ms == 5 * MINUTE_MS
