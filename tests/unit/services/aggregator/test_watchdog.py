"""What ends a worker that would stand still forever, and what does not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from services.aggregator.errors import (
    LogReplacedError,
    PartitionsChangedError,
    StandstillError,
)
from services.aggregator.succession.lineage import Lineage
from services.aggregator.watchdog import keep_watch
from services.platform.errors import UnavailableError
from services.platform.kafka_log import Log
from services.platform.succession import Stretch, Succession

LOG = Log("cluster", "topic-id", "usage", 2)
PATIENCE_SECONDS = 120.0
LOOKS = 20


class App:
    """As much of the app as the watchdog sees; its time passes by sleeping."""

    def __init__(self, owned: Sequence[int], positions: dict[int, int], **ends: int) -> None:
        self.settings = SimpleNamespace(aggregator_standstill_seconds=PATIENCE_SECONDS)
        self.log_read = LOG
        self.lineage = Lineage(LOG, "group", (), None)
        self.inheritance = SimpleNamespace(progress=0)
        self.id_copies = SimpleNamespace(progress=0)
        self.meter = SimpleNamespace(positions=lambda: positions, held=False)
        self.offsets = SimpleNamespace(now=self.log_now, readable_ends=self.readable_ends)
        self.now: Log = LOG
        self.owned = list(owned)
        self.ends = {int(name.strip("p")): end for name, end in ends.items()}
        self.broker_away = False
        self.looks = 0
        self.failures: list[Exception] = []
        self.loop: Any = SimpleNamespace(time=self.time, run_in_executor=self.run_in_executor)

    @property
    def should_stop(self) -> bool:
        return self.looks >= LOOKS or bool(self.failures)

    def time(self) -> float:
        return 15.0 * self.looks

    async def sleep(self, seconds: float) -> None:
        assert seconds == 15.0
        self.looks += 1

    async def run_in_executor(self, executor: None, call: Any, *arguments: Any) -> Any:
        if self.broker_away:
            raise UnavailableError("Kafka does not answer")
        return call(*arguments)

    def log_now(self) -> Log:
        return self.now

    def readable_ends(self, partitions: Sequence[int]) -> dict[int, int]:
        return {partition: self.ends[partition] for partition in partitions}

    def assigned_partitions(self) -> list[int]:
        return self.owned

    async def fail(self, error: Exception) -> None:
        self.failures.append(error)

    def watch(self) -> list[Exception]:
        asyncio.run(keep_watch(self))  # type: ignore[arg-type]
        return self.failures


def test_a_partition_that_does_not_move_though_there_is_something_to_read() -> None:
    (failure,) = App([0, 1], {0: 5, 1: 7}, p0=5, p1=8).watch()
    assert isinstance(failure, StandstillError) and "[1]" in str(failure)


def test_a_partition_of_ours_without_a_state_stands_still_even_where_its_log_is_empty() -> None:
    (failure,) = App([0, 1], {0: 5}, p0=5, p1=0).watch()
    assert isinstance(failure, StandstillError) and "[1]" in str(failure)


def test_a_worker_that_owns_partitions_and_meters_none() -> None:
    (failure,) = App([0, 1], {}, p0=5, p1=9).watch()
    assert isinstance(failure, StandstillError) and "[0, 1]" in str(failure)


def test_what_is_read_to_its_end_may_stand_still() -> None:
    assert App([0, 1], {0: 5, 1: 8}, p0=5, p1=8).watch() == []


def test_a_worker_without_partitions_may_stand_still() -> None:
    assert App([], {}).watch() == []


def test_a_database_that_is_away_holds_on_purpose() -> None:
    app = App([0], {}, p0=5)
    app.meter.held = True
    assert app.watch() == []


def test_a_broker_that_is_away_says_nothing_about_the_worker() -> None:
    app = App([0], {}, p0=5)
    app.broker_away = True
    assert app.watch() == []
    assert app.looks == LOOKS, "and it is asked again, all the same"


def test_a_topic_that_was_recreated() -> None:
    app = App([0], {0: 5}, p0=5)
    app.now = Log("cluster", "another-id", "usage", 2)
    (failure,) = app.watch()
    assert isinstance(failure, LogReplacedError) and "cluster/another-id" in str(failure)


def test_a_topic_that_has_grown() -> None:
    app = App([0], {0: 5}, p0=5)
    app.now = replace(LOG, partitions=3)
    (failure,) = app.watch()
    assert isinstance(failure, PartitionsChangedError)


def test_beyond_the_end_of_a_log_that_was_followed_nothing_is_waited_for() -> None:
    app = App([0, 1], {0: 5, 1: 7}, p0=5, p1=9)
    ends = (Stretch(0, 5), Stretch(0, 7))
    followed = Succession("cluster/next", "usage.2", 3, LOG.name, LOG.topic, ends)
    app.lineage = replace(app.lineage, successor=followed)
    assert app.watch() == []


def test_reading_the_ids_of_a_predecessor_is_no_standstill() -> None:
    app = App([0, 1], {}, p0=5, p1=9)
    reading = iter(range(1, 1_000))
    app.inheritance = Progressing(reading)
    assert app.watch() == []


def test_fetching_copies_of_ids_is_no_standstill() -> None:
    app = App([0, 1], {}, p0=5, p1=9)
    app.id_copies = Progressing(iter(range(1, 1_000)))
    assert app.watch() == []


def test_reading_them_may_stand_still_as_well() -> None:
    """However many there are read: more than the log has."""
    app = App([0, 1], {}, p0=0, p1=9)
    app.inheritance.progress = 1_000
    (failure,) = app.watch()
    assert isinstance(failure, StandstillError) and "[0, 1]" in str(failure)


class Progressing(SimpleNamespace):
    """Records read so far: more at each look."""

    def __init__(self, counts: Iterator[int]) -> None:
        super().__init__()
        self._counts = counts

    @property
    def progress(self) -> int:
        return next(self._counts)
