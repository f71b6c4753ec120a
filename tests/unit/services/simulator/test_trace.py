"""Traces: parsed to the microsecond, and refused by line and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.simulator.errors import TraceError
from services.simulator.trace import Labels, emissions, read_rows, survey

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
TRACE = HEADER + (
    "2023-11-16 18:17:03.9799600,4808,10\n"
    "2023-11-16 18:17:04.0319600,3180,8\n"
    "2023-11-16 18:18:03.9799600,110,0"
)
LABELS = Labels("acme", "eu", "azure", "gpt")
NOW_MS = 1_773_576_000_000


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "trace.csv"
    path.write_text(TRACE)
    return path


def test_rows_are_read(trace: Path) -> None:
    rows = list(read_rows(trace))
    assert [(row.input_tokens, row.output_tokens) for row in rows] == [
        *((4808, 10), (3180, 8), (110, 0)),
    ]
    # 2023-11-16 18:17:03.979960 UTC; of seven digits six are kept.
    assert rows[0].time_us == 1_700_158_623_979_960
    assert rows[1].time_us - rows[0].time_us == 52_000


def test_survey_sums_up(trace: Path) -> None:
    found = survey(trace)
    assert (found.rows, found.input_tokens, found.output_tokens) == (3, 8098, 18)
    assert found.last_us - found.first_us == 60_000_000


def test_the_last_event_is_now_and_gaps_stay(trace: Path) -> None:
    stream = list(emissions(survey(trace), LABELS, "r1", NOW_MS, NOW_MS, None))
    assert [emission.reading.time_ms - NOW_MS for emission in stream] == [-60_000, -59_948, 0]
    assert {emission.at_ms for emission in stream} == {NOW_MS}


def test_speed_sets_when_rows_are_due(trace: Path) -> None:
    stream = list(emissions(survey(trace), LABELS, "r1", NOW_MS, NOW_MS, 60.0))
    assert [emission.at_ms - NOW_MS for emission in stream] == [0, 0, 1_000]
    assert [emission.reading.time_ms - NOW_MS for emission in stream] == [-60_000, -59_948, 0]


def ids(path: Path, run_id: str) -> list[str]:
    stream = emissions(survey(path), LABELS, run_id, NOW_MS, NOW_MS, None)
    return [emission.reading.id for emission in stream]


def test_ids_follow_from_content_run_and_row(trace: Path, tmp_path: Path) -> None:
    first = ids(trace, "r1")
    assert len(set(first)) == 3
    assert ids(trace, "r1") == first
    assert not set(ids(trace, "r2")) & set(first)
    copy = tmp_path / "copy.csv"
    copy.write_text(TRACE)
    assert ids(copy, "r1") == first
    copy.write_text(TRACE.replace("4808", "4809"))
    assert not set(ids(copy, "r1")) & set(first)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: no column TIMESTAMP"),
        ("TIMESTAMP,ContextTokens\n", "line 1: no column GeneratedTokens"),
        (HEADER, "no rows"),
        (HEADER + "2023-11-16 18:17:03,1,2\nyesterday,1,2\n", "line 3, column TIMESTAMP"),
        (HEADER + "2023-11-16 18:17:03,,2\n", "line 2, column ContextTokens: ''"),
        (HEADER + "2023-11-16 18:17:03,-1,2\n", "line 2, column ContextTokens: '-1'"),
        (HEADER + "2023-11-16 18:17:03,1,2.5\n", "line 2, column GeneratedTokens: '2.5'"),
        (HEADER + "2023-11-16 18:17:03,1,1000000000001\n", "line 2, column GeneratedTokens"),
        (HEADER + "2023-11-16 18:17:03,1\n", "line 2: 2 columns, but the header has 3"),
    ],
)
def test_a_bad_file_is_refused_by_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(TraceError, match=message):
        survey(path)


def test_no_file_and_no_text(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="No such file"):
        survey(tmp_path / "none.csv")
    path = tmp_path / "binary.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TraceError, match="no CSV text"):
        survey(path)


def test_columns_may_come_in_any_order_among_others(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text("x,GeneratedTokens,TIMESTAMP,ContextTokens\n?,2,2023-11-16 18:17:03Z,1\n")
    assert survey(path).input_tokens == 1


def test_a_run_id_too_long_for_ids(trace: Path) -> None:
    with pytest.raises(TraceError, match="too long"):
        ids(trace, "r" * 120)
