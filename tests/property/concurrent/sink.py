"""`ClickHouseSink` over the model database: each statement is an edge at which things happen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from services.aggregator.arrays.key_index import Ints
from services.aggregator.core.partition import Checkpoint, Snapshot
from services.aggregator.core.run_copies import Copied
from services.aggregator.core.series_limit import Admission
from services.aggregator.core.slice_keys import windows_of
from services.aggregator.core.slices import SliceRows
from services.aggregator.core.timing import RuleBook
from services.aggregator.core.windows import FAMILIES, Family
from services.aggregator.storage.copy_pieces import seal_of, unsealed
from services.platform.clickhouse import nothing_answered
from tests.property.concurrent.log import ModelLog


class ModelSink:
    """One process's connection; reads and writes are about one log.

    ``offsets`` is what a question for the checkpoints' offsets is called, by what it is for.
    """

    def __init__(self, process: Any, log: ModelLog, offsets: str) -> None:
        self._offsets = offsets
        self._process = process
        self._log = log

    @property
    def _database(self) -> Any:
        return self._process.world.database

    def close(self) -> None:
        """Nothing is held."""

    # Writing.

    def write_rows(self, snapshots: Iterable[Snapshot]) -> None:
        taken = list(snapshots)
        for family in FAMILIES:
            rows = [
                (snapshot.partition, number, snapshot.checkpoint.next_offset, totals)
                for snapshot in taken
                for number, totals in snapshot.rows[family.name].items()
            ]
            if rows:
                insert = partial(self._insert_slices, family.name, rows)
                self._process.edge_write(f"insert {family.name}s", insert, len(rows))
        for snapshot in taken:
            self.write_admissions(snapshot.partition, snapshot.admissions)
        letters = [
            (snapshot.partition, letter.offset)
            for snapshot in taken
            for letter in snapshot.dead_letters
        ]
        if letters:
            insert = partial(self._insert_letters, letters)
            self._process.edge_write("insert dead letters", insert, len(letters))

    def _insert_slices(self, family: str, rows: Sequence[Any], count: int) -> None:
        for partition, number, version, totals in rows[:count]:
            self._database.insert_slice(self._log, partition, family, number, version, totals)

    def _insert_letters(self, letters: Sequence[tuple[int, int]], count: int) -> None:
        for partition, offset in letters[:count]:
            self._database.insert_dead_letters(self._log, partition, [offset])

    def write_admissions(self, partition: int, admissions: Sequence[Admission]) -> None:
        def insert(count: int) -> None:
            for admission in admissions[:count]:
                self._database.insert_admission(self._log, partition, admission)

        if admissions:
            self._process.edge_write("insert admissions", insert, len(admissions))

    def write_checkpoints(self, checkpoints: Mapping[int, Checkpoint]) -> None:
        rows = list(checkpoints.items())

        def insert(count: int) -> None:
            for partition, checkpoint in rows[:count]:
                self._database.insert_checkpoint(self._log, partition, checkpoint)

        self._process.edge_write("insert checkpoints", insert, len(rows))

    def write_copy(
        self,
        partition: int,
        copied: Copied,
        pieces: Iterable[bytes],
        keep_seconds: int,
        given_up: Callable[[], bool],
    ) -> bool:
        sealed = [(seal_of(copied.token, at, piece), piece) for at, piece in enumerate(pieces)]
        if given_up():
            return False

        def insert(count: int) -> None:
            self._database.insert_copy(self._log, partition, copied, sealed[:count])

        self._process.edge_write("insert copies", insert, len(sealed))
        return True

    # Reading.

    def read_copies(self, partitions: Sequence[int]) -> dict[int, list[Copied]]:
        found: dict[int, list[Copied]] = self._read(
            "read copies",
            lambda: {
                number: self._database.whole_copies(self._log.name, number) for number in partitions
            },
        )
        return found

    def read_pieces(self, partition: int, copied: Copied) -> Iterator[bytes]:
        sealed: list[tuple[int, bytes]] = self._read(
            "read pieces",
            lambda: self._database.copies[self._log.name, partition].get(copied, []),
        )
        if len(sealed) < copied.pieces:
            raise nothing_answered()
        yield from unsealed(copied, sealed)

    def _read(self, what: str, effect: Callable[[], Any]) -> Any:
        return self._process.edge_call(what, "clickhouse", effect)

    def read_offsets(self) -> dict[int, int]:
        return {
            number: checkpoint.next_offset
            for number, checkpoint in self._read(self._offsets, self._stored).items()
        }

    def read_checkpoints(self, partitions: Sequence[int]) -> dict[int, Checkpoint]:
        stored = self._read("read checkpoints", self._stored)
        return {number: stored[number] for number in partitions if number in stored}

    def _stored(self) -> dict[int, Checkpoint]:
        return {
            number: checkpoint
            for (log, number), checkpoint in self._database.checkpoints.items()
            if log == self._log.name
        }

    def read_starts(self, partitions: Sequence[int]) -> dict[int, int]:
        found: dict[int, int] = self._read("read starts", lambda: dict.fromkeys(partitions, 0))
        return found

    def read_admissions(self, partitions: Sequence[int]) -> dict[int, list[Admission]]:
        def rows() -> dict[int, list[Admission]]:
            stored = self._database.admissions
            return {
                number: [
                    Admission(series, used, at)
                    for (series, used), at in stored[self._log.name, number].items()
                ]
                for number in partitions
            }

        found: dict[int, list[Admission]] = self._read("read admissions", rows)
        return found

    def read_rules(self, partitions: Sequence[int]) -> dict[int, RuleBook]:
        found: dict[int, RuleBook] = self._read(
            "read rules",
            lambda: {number: self._log.partitions[number].rule_book for number in partitions},
        )
        return found

    def read_slices(
        self, family: Family, partition: int, first_window: int
    ) -> tuple[SliceRows, Ints]:
        def rows() -> tuple[SliceRows, Ints]:
            stored = self._database.slices[self._log.name, partition][family.name]
            if not stored:
                return as_rows({})
            numbers = np.array(list(stored), np.int64)
            wanted = numbers[windows_of(family, numbers) >= first_window].tolist()
            return as_rows({number: stored[number] for number in wanted})

        found: tuple[SliceRows, Ints] = self._read(f"read {family.name}s", rows)
        return found

    def find_contradiction(self, family: Family, partition: int, first_window: int) -> str | None:
        return None  # Two distinct rows never get in: each is judged by the oracle.

    def look_up(self, family_name: str, partition: int, keys: Ints) -> tuple[SliceRows, Ints]:
        def rows() -> tuple[SliceRows, Ints]:
            stored = self._database.slices[self._log.name, partition][family_name]
            return as_rows({n: stored[n] for n in keys.tolist() if n in stored})

        found: tuple[SliceRows, Ints] = self._read(f"look up {family_name}s", rows)
        return found


def as_rows(stored: dict[int, Any]) -> tuple[SliceRows, Ints]:
    """Rows by number, with their versions, as columns."""
    if not stored:
        return SliceRows(np.empty(0, np.int64), np.empty((0, 0), np.int64)), np.empty(0, np.int64)
    versions, totals = zip(*stored.values(), strict=True)
    return (
        SliceRows(np.array(list(stored), np.int64), np.array(totals, np.int64)),
        np.array(versions, np.int64),
    )
