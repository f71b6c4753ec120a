"""What the migrations make, as it is expected."""

from __future__ import annotations

from services.operate.doctor.looking.schema import document, expected_tables, with_once


def test_what_is_written_of_tables_is_read_as_it_was() -> None:
    tables = expected_tables()
    assert "slices_hour" in tables
    assert dict(tables["slices_hour"].settings)["fsync_after_insert"] == "1"
    assert [column.name for column in tables["checkpoints"].columns][:2] == ["log", "partition"]
    assert expected_tables() == tables
    assert document(tables).count('"engine"') == len(tables)


def test_a_with_that_is_repeated_counts_once() -> None:
    whole = "WITH (SELECT 1) AS a SELECT a UNION ALL WITH (SELECT 1) AS a SELECT 2"
    assert with_once(whole) == "WITH (SELECT 1) AS a SELECT a UNION ALL SELECT 2"
    assert with_once("SELECT 1 UNION ALL SELECT 2") == "SELECT 1 UNION ALL SELECT 2"
