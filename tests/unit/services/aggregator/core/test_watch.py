from __future__ import annotations

from services.aggregator.core.watch import StandstillWatch


def test_a_partition_that_stands_still_with_records_to_read_is_found() -> None:
    watch = StandstillWatch(patience_seconds=10)
    assert watch.look(0, {1: 5, 2: 5}, {1: 9, 2: 9}, held=False) == []
    assert watch.look(8, {1: 5, 2: 6}, {1: 9, 2: 9}, held=False) == []
    assert watch.look(11, {1: 5, 2: 6}, {1: 9, 2: 9}, held=False) == [1]


def test_nothing_to_read_is_no_standstill() -> None:
    watch = StandstillWatch(patience_seconds=10)
    for now in (0, 100, 200):
        assert watch.look(now, {1: 9}, {1: 9}, held=False) == []
    assert watch.look(205, {1: 9}, {1: 10}, held=False) == [], "the wait begins with the records"
    assert watch.look(216, {1: 9}, {1: 10}, held=False) == [1]


def test_time_spent_waiting_on_purpose_does_not_count() -> None:
    watch = StandstillWatch(patience_seconds=10)
    watch.look(0, {1: 5}, {1: 9}, held=False)
    watch.look(50, {1: 5}, {1: 9}, held=True)
    assert watch.look(55, {1: 5}, {1: 9}, held=False) == []
    assert watch.look(61, {1: 5}, {1: 9}, held=False) == [1]


def test_a_partition_given_away_is_forgotten() -> None:
    watch = StandstillWatch(patience_seconds=10)
    watch.look(0, {1: 5}, {1: 9}, held=False)
    assert watch.look(20, {}, {}, held=False) == []
    assert watch.look(21, {1: 5}, {1: 9}, held=False) == []


def test_patience_lasts_to_its_end() -> None:
    watch = StandstillWatch(patience_seconds=10)
    watch.look(0, {1: 5}, {1: 9}, held=False)
    assert watch.look(10, {1: 5}, {1: 9}, held=False) == []
    assert watch.look(10.5, {1: 5}, {1: 9}, held=False) == [1]


def test_of_a_log_whose_end_is_not_known_nothing_can_be_read() -> None:
    watch = StandstillWatch(patience_seconds=10)
    for now in (0, 100):
        assert watch.look(now, {1: 0}, {}, held=False) == []
