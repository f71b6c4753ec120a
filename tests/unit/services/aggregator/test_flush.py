"""The order of a flush: rows, then a look at the database, then checkpoints, whatever fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pytest

from schemas.measures import MEASURES
from services.aggregator.core.dead_letters import DeadLetter
from services.aggregator.core.partition import Checkpoint, Snapshot
from services.aggregator.core.series_limit import Admission
from services.aggregator.core.slices import SliceRows
from services.aggregator.errors import DatabaseWentBackError
from services.aggregator.flush import Flusher, check_not_back
from services.aggregator.metrics import REGISTRY
from services.aggregator.storage.retry import AbandonedError
from services.platform.errors import ConfigurationError, DatabaseUnavailableError

AWAY: Final = DatabaseUnavailableError("connection refused")


class ClickHouse:
    """`ClickHouseSink` as far as a flush goes; notes each call, and fails as it was told to."""

    def __init__(self, stored: Mapping[int, int]) -> None:
        self.stored = dict(stored)
        self.calls: list[Any] = []
        #: What the next calls of a name raise, one after another.
        self.failures: dict[str, list[Exception]] = {}
        #: What a backup restored meanwhile says, once a call has failed.
        self.backup: dict[int, int] = {}

    def _note(self, name: str, what: object = None) -> None:
        self.calls.append(name if what is None else (name, what))
        if self.failures.get(name):
            self.stored |= self.backup
            raise self.failures[name].pop(0)

    def write_rows(self, snapshots: Iterable[Snapshot]) -> None:
        self._note("rows", [snapshot.partition for snapshot in snapshots])

    def read_offsets(self) -> dict[int, int]:
        self._note("offsets")
        return dict(self.stored)

    def write_checkpoints(self, checkpoints: Mapping[int, Checkpoint]) -> None:
        self._note("checkpoints", dict(checkpoints))
        for partition, checkpoint in checkpoints.items():
            self.stored[partition] = checkpoint.next_offset


class Calls:
    """A sink without a thread."""

    away = False

    def __init__(self, sink: ClickHouse) -> None:
        self._sink = sink

    async def call(self, work: Callable[[Any], Any]) -> Any:
        return work(self._sink)


def snapshot(partition: int, next_offset: int, written_offset: int) -> Snapshot:
    """A snapshot of two slices, a dead letter and an admission: four rows."""
    rows = SliceRows(np.arange(2), np.ones((2, len(MEASURES)), np.int64))
    letter = DeadLetter(next_offset - 1, 0, "invalid_json", "no JSON", b"{", 1)
    return Snapshot(
        *(partition, {"register": rows}, [letter], Checkpoint(next_offset, 0)),
        *(written_offset, [Admission(0, True, next_offset - 1)]),
    )


def never() -> bool:
    return False


def flush(
    sink: ClickHouse, snapshots: Sequence[Snapshot], abandoned: Callable[[], bool] = never
) -> None:
    asyncio.run(Flusher(Calls(sink)).write(snapshots, abandoned))


def flushed_rows() -> float:
    return REGISTRY.get_sample_value("wattoken_aggregator_flushed_rows_total") or 0


def test_rows_are_there_before_the_checkpoints_that_speak_of_them() -> None:
    sink = ClickHouse({1: 5, 4: 7})
    flush(sink, [snapshot(1, 20, 5), snapshot(4, 30, 7)])
    checkpoints = {1: Checkpoint(20, 0), 4: Checkpoint(30, 0)}
    assert sink.calls == [("rows", [1, 4]), "offsets", ("checkpoints", checkpoints)]


def test_a_database_that_went_back_is_given_no_checkpoint() -> None:
    sink = ClickHouse({1: 5, 4: 6})
    with pytest.raises(DatabaseWentBackError, match="partition 4 is 6, but 7 was written"):
        flush(sink, [snapshot(1, 20, 5), snapshot(4, 30, 7)])
    assert sink.calls == [("rows", [1, 4]), "offsets"], "and it is asked once"


def test_of_a_partition_without_a_checkpoint_nothing_need_be_stored() -> None:
    sink = ClickHouse({})
    flush(sink, [snapshot(1, 20, 0)])
    assert sink.stored == {1: 20}


def test_a_checkpoint_that_another_moved_on_is_no_step_back() -> None:
    """A worker that took over meanwhile may be ahead: the higher of two checkpoints counts."""
    sink = ClickHouse({1: 50})
    flush(sink, [snapshot(1, 20, 5)])
    assert [call[0] for call in sink.calls if call != "offsets"] == ["rows", "checkpoints"]


def test_rows_are_written_again_until_they_are_there() -> None:
    sink = ClickHouse({1: 5})
    sink.failures["rows"] = [AWAY, AWAY]
    flush(sink, [snapshot(1, 20, 5)])
    rows = ("rows", [1])
    assert sink.calls == [rows, rows, rows, "offsets", ("checkpoints", {1: Checkpoint(20, 0)})]


@pytest.mark.parametrize("step", ["offsets", "checkpoints"])
def test_before_each_attempt_at_checkpoints_the_database_is_asked_anew(step: str) -> None:
    """What does not answer for a while may be older when it does."""
    sink = ClickHouse({1: 5})
    sink.failures[step] = [AWAY]
    sink.backup = {1: 4}
    with pytest.raises(DatabaseWentBackError, match="partition 1 is 4, but 5 was written"):
        flush(sink, [snapshot(1, 20, 5)])
    assert sink.calls.count(("rows", [1])) == 1, "and rows are not written again for that"
    assert sink.calls[-1] == "offsets"


def test_work_that_is_given_up_gets_no_checkpoint() -> None:
    sink = ClickHouse({1: 5})
    sink.failures["rows"] = [AWAY]
    with pytest.raises(AbandonedError, match="insert rows"):
        flush(sink, [snapshot(1, 20, 5)], lambda: len(sink.calls) == 1)
    assert sink.calls == [("rows", [1])]


def test_work_given_up_when_its_rows_are_there_gets_no_checkpoint_either() -> None:
    sink = ClickHouse({1: 5})
    with pytest.raises(AbandonedError, match="insert checkpoints"):
        flush(sink, [snapshot(1, 20, 5)], lambda: len(sink.calls) == 1)
    assert sink.calls == [("rows", [1])]


def test_what_no_retry_mends_comes_out_at_once() -> None:
    sink = ClickHouse({1: 5})
    sink.failures["rows"] = [ConfigurationError("no such table")]
    with pytest.raises(ConfigurationError, match="no such table"):
        flush(sink, [snapshot(1, 20, 5)])
    assert len(sink.calls) == 1


def test_rows_are_counted_once_their_checkpoint_is_there() -> None:
    before = flushed_rows()
    with pytest.raises(DatabaseWentBackError):
        flush(ClickHouse({1: 0}), [snapshot(1, 20, 5)])
    assert flushed_rows() == before
    sink = ClickHouse({1: 5})
    sink.failures["rows"] = [AWAY]
    flush(sink, [snapshot(1, 20, 5), snapshot(2, 9, 0)])
    assert flushed_rows() == before + 8


def test_only_what_was_written_has_to_be_stored() -> None:
    check_not_back({}, {})
    check_not_back({1: 5, 2: 0}, {1: 5, 9: 1})
    with pytest.raises(DatabaseWentBackError, match="partition 1 is 0, but 1 was written"):
        check_not_back({1: 1}, {})
    with pytest.raises(DatabaseWentBackError, match="partition 1 is 0, but 5 was written"):
        check_not_back({1: 5}, {2: 5})


def test_a_flush_takes_as_long_as_it_takes() -> None:
    """Of each that came to its end, and of no other."""

    def flushes() -> tuple[float, float]:
        name = "wattoken_aggregator_flush_seconds"
        count, took = (REGISTRY.get_sample_value(f"{name}_{what}") for what in ("count", "sum"))
        return count or 0, took or 0

    count, took = flushes()
    began = time.monotonic()
    flush(ClickHouse({1: 5}), [snapshot(1, 20, 5)])
    most = time.monotonic() - began
    assert flushes()[0] == count + 1
    assert 0 <= flushes()[1] - took <= most
    with pytest.raises(DatabaseWentBackError):
        flush(ClickHouse({1: 0}), [snapshot(1, 20, 5)])
    assert flushes()[0] == count + 1
