"""The ledger keeps what was sent, over the death of its writer."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from services.simulator.errors import LedgerError
from services.simulator.ledger import RUN_SPAN, Answer, Ledger, Outcome
from services.simulator.reading import METERED, Reading

READING = Reading(METERED, "acme", "gw", "e1", 1, "eu", "openai", "luna", 100, 10, 5, pages=7)


def test_a_reading_is_kept_whole(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger") as ledger:
        run = ledger.begin("run", 1)
        ledger.record(run, [(4, READING)])
        ledger.answered(run, [Answer(4, Outcome.REFUSED, 10, 12, "wrong_type")])
        (row,) = ledger.connection.execute("SELECT * FROM readings").fetchall()
        names = [column[1] for column in ledger.connection.execute("PRAGMA table_info(readings)")]
        (send,) = ledger.connection.execute("SELECT * FROM sends").fetchall()
    assert row[0] == run.number * RUN_SPAN + 4
    assert names == ["seq", *Reading._fields[:-1]]
    assert row[1:] == READING[:-1]
    assert row[14:18] == ("ok", "measured", None, "usage")
    assert row[-1] == 7
    assert send == (row[0], 1, 10, 12, "wrong_type")


def test_a_run_of_the_same_name_lends_its_anchor() -> None:
    with Ledger(":memory:") as ledger:
        first = ledger.begin("a", 1_000)
        again = ledger.begin("a", 2_000)
        other = ledger.begin("b", 3_000)
    assert (first.anchor_ms, again.anchor_ms, other.anchor_ms) == (1_000, 1_000, 3_000)
    assert len({run.first_seq for run in (first, again, other)}) == 3


def test_what_was_written_outlives_its_writer(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    program = (
        "import os, signal\n"
        "from services.simulator.ledger import Ledger\n"
        "from tests.unit.services.simulator.test_ledger import READING\n"
        f"ledger = Ledger({str(path)!r})\n"
        "ledger.record(ledger.begin('run', 1), [(0, READING)])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).parents[4]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, check=False)
    assert done.returncode == -9
    with Ledger(path) as ledger:
        assert ledger.connection.execute("SELECT count(*) FROM readings").fetchone() == (1,)


def test_a_ledger_of_an_older_version_goes_on(tmp_path: Path) -> None:
    """It kept the fields up to `entry`; what it has says nothing of the others."""
    path = tmp_path / "ledger"
    with closing(sqlite3.connect(path)) as old:
        names = ", ".join(Reading._fields[: Reading._fields.index("adjusts")])
        old.execute(f"CREATE TABLE readings (seq INTEGER PRIMARY KEY, {names})")
        old.execute(f"INSERT INTO readings VALUES (1{', 2' * 17})")
        old.commit()
    for _ in range(2):
        with Ledger(path) as ledger:
            run = ledger.begin("run", 1)
            ledger.record(run, [(4, READING)])
            rows = ledger.connection.execute("SELECT entry, adjusts, pages FROM readings")
            assert rows.fetchall()[:2] == [(2, None, None), ("usage", None, 7)]


def test_another_file_is_no_ledger(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database at all, " * 100)
    with pytest.raises(LedgerError, match="notes.txt"):
        Ledger(path)
