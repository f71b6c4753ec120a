"""The ledger: an append-only file of exactly what was sent and how each send was answered.

Readings are written before they are sent, answers after they came; nothing is ever changed. So a
ledger whose writer died still says what may have reached the log. `totals.py` computes from it
what the meter must show. A ledger is an SQLite file; memory does not grow with it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final, NamedTuple, Self

from services.simulator.errors import LedgerError
from services.simulator.reading import Reading

#: Events of run r are numbered from r * RUN_SPAN on, so two writers never meet.
RUN_SPAN: Final = 2**40
#: As many fields of a reading are kept, the first: all but its `payload`.
READING_COLUMNS: Final = Reading._fields.index("payload")
#: Code of an acknowledgement that should have been a refusal.
POISON_TAKEN: Final = "poison_taken"

DDL: Final = """
CREATE TABLE IF NOT EXISTS runs (
    run INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL, -- two runs of one name report the same events
    anchor_ms INTEGER NOT NULL -- the moment that the run's event times hang on
);
-- A run that ended in order: all that it sent is in the table sends.
CREATE TABLE IF NOT EXISTS finished_runs (run INTEGER PRIMARY KEY);
-- Written before the first send. `expected`: metered, or the reason of its dead letter.
CREATE TABLE IF NOT EXISTS readings (
    seq INTEGER PRIMARY KEY, expected TEXT NOT NULL,
    tenant TEXT NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL, time_ms INTEGER NOT NULL,
    region TEXT NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
    cache_read_input_tokens INTEGER, cache_write_input_tokens INTEGER,
    reasoning_output_tokens INTEGER,
    status TEXT NOT NULL, quality TEXT NOT NULL, duration_ms INTEGER, entry TEXT NOT NULL,
    adjusts TEXT, reason TEXT, service_tier TEXT,
    cache_write_5m_input_tokens INTEGER, cache_write_1h_input_tokens INTEGER,
    audio_input_tokens INTEGER, image_input_tokens INTEGER,
    cache_read_audio_input_tokens INTEGER, cache_read_image_input_tokens INTEGER,
    audio_output_tokens INTEGER, image_output_tokens INTEGER,
    web_searches INTEGER, file_searches INTEGER, tool_calls INTEGER, images INTEGER,
    audio_milliseconds INTEGER, video_milliseconds INTEGER, characters INTEGER, pages INTEGER
);
-- One row for each send of a reading, written when it was answered.
CREATE TABLE IF NOT EXISTS sends (
    seq INTEGER NOT NULL, outcome INTEGER NOT NULL,
    sent_ms INTEGER NOT NULL, answered_ms INTEGER NOT NULL, code TEXT
);
"""


class Outcome(IntEnum):
    """How a send was answered."""

    #: Kafka acknowledged it: it is on the log, once.
    ACKNOWLEDGED = 0
    #: Ingest refused it for good, saying why: it is not on the log.
    REFUSED = 1
    #: It was certainly not taken, such as over the rate limit or with no connection.
    NOT_TAKEN = 2
    #: No (clear) answer: it may be on the log or not.
    UNKNOWN = 3


class Answer(NamedTuple):
    """One send and its answer; times in milliseconds since 1970 on the sender's clock."""

    number: int
    outcome: Outcome
    sent_ms: int
    answered_ms: int
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A run that writes to the ledger; event numbers count from `first_seq`."""

    number: int
    name: str
    anchor_ms: int

    @property
    def first_seq(self) -> int:
        """Sequence number of the run's event 0."""
        return self.number * RUN_SPAN


class Ledger:
    """An open ledger; a context manager. Not for two threads at once.

    Raises `LedgerError` when the file is no ledger or cannot be written.
    """

    def __init__(self, path: Path | str) -> None:
        try:
            self.connection = sqlite3.connect(path, isolation_level=None)
            # Written ahead and not synced: safe against the death of the process, which is what
            # tests bring about, though not against the machine's.
            self.connection.execute("PRAGMA journal_mode = WAL")
            self.connection.execute("PRAGMA synchronous = OFF")
            self.connection.executescript(DDL)
            self._widen()
        except sqlite3.Error as error:
            raise LedgerError(f"cannot use {path} as a ledger: {error}") from None

    def _widen(self) -> None:
        """Give a ledger of an older Wattoken the fields that readings had not yet: all unsaid."""
        known = {row[1] for row in self.connection.execute("PRAGMA table_info(readings)")}
        for name in Reading._fields[:READING_COLUMNS]:
            if name not in known:
                # Without a type, a column keeps what it is given; added ones come last, in order.
                self.connection.execute(f"ALTER TABLE readings ADD COLUMN {name}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what was written stays."""
        self.connection.close()

    def begin(self, name: str, anchor_ms: int) -> Run:
        """Begin a run. A run of the same name before lends its anchor, so events stay equal."""
        row = self.connection.execute(
            "SELECT anchor_ms FROM runs WHERE name = ? ORDER BY run LIMIT 1", [name]
        ).fetchone()
        if row is not None:
            anchor_ms = int(row[0])
        cursor = self.connection.execute(
            "INSERT INTO runs (name, anchor_ms) VALUES (?, ?)", [name, anchor_ms]
        )
        assert cursor.lastrowid is not None
        return Run(cursor.lastrowid, name, anchor_ms)

    def finish(self, run: Run) -> None:
        """Note that each send of the run is in the ledger."""
        self.connection.execute("INSERT INTO finished_runs VALUES (?)", [run.number])

    def record(self, run: Run, readings: Iterable[tuple[int, Reading]]) -> None:
        """Write (number, reading) pairs, before any of them is sent."""
        first = run.first_seq
        # The columns are the reading's first fields, in its order.
        rows = [(first + number, *reading[:READING_COLUMNS]) for number, reading in readings]
        self._append(f"INSERT INTO readings VALUES (?{', ?' * READING_COLUMNS})", rows)

    def answered(self, run: Run, answers: Iterable[Answer]) -> None:
        """Write how sends were answered."""
        first = run.first_seq
        rows = [
            (first + number, int(outcome), sent_ms, answered_ms, code)
            for number, outcome, sent_ms, answered_ms, code in answers
        ]
        self._append("INSERT INTO sends VALUES (?, ?, ?, ?, ?)", rows)

    def _append(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        self.connection.execute("BEGIN")
        self.connection.executemany(statement, rows)
        self.connection.execute("COMMIT")
