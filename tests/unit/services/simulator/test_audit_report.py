"""An audit's result says the same to people and to scripts."""

from __future__ import annotations

import io

from rich.console import Console

from services.simulator.audit import AuditResult
from services.simulator.audit_report import ROWS_SHOWN_MAX, as_json, difference_line, print_result
from services.simulator.comparison import CountDifference, MeterCounts, RowDifference
from services.simulator.expected import Bounds, LedgerTotals

ROW = RowDifference(
    "usage_minute",
    (1_773_576_000, "eu", "openai", "luna"),
    "different",
    (("input_tokens", 1_000, 1_001),),
)
EXPECTED = LedgerTotals(
    sent=110,
    unique=100,
    unresolved=0,
    refused=2,
    wrongly_refused=0,
    wrongly_taken=0,
    received=Bounds(108, 108),
    accepted=Bounds(100, 100),
    duplicate=Bounds(5, 5),
    late=Bounds(7, 7),
    rejected={"invalid_json": Bounds(3, 3)},
)
FOUND = MeterCounts(108, 100, 5, 7, {"invalid_json": 3}, {"invalid_json": 3})


def result(rows: int = 0, counts: int = 0) -> AuditResult:
    late = CountDifference("late", Bounds(7, 8), 9)
    return AuditResult(EXPECTED, FOUND, {"usage_minute": 40}, [ROW] * rows, [late] * counts)


def printed(of: AuditResult) -> str:
    console = Console(file=io.StringIO(), width=80)
    print_result(of, console)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_a_difference_is_one_line() -> None:
    assert difference_line(ROW) == (
        "different in usage_minute: 2026-03-15 12:00Z · eu · openai · luna:"
        " input_tokens must be 1,000 and is 1,001"
    )


def test_only_the_first_of_a_key_is_a_time() -> None:
    """A band is a number too, and a tier may be none."""
    row = RowDifference("usage_hour_entries", (3600, "a", "", 200_000), "extra", ())
    assert "1970-01-01 01:00Z · a · none · 200000" in difference_line(row)


def test_exact_is_said() -> None:
    text = printed(result())
    assert "exact" in text
    assert "must be" not in text


def test_differences_are_listed_up_to_a_limit() -> None:
    lines = printed(result(rows=ROWS_SHOWN_MAX + 3, counts=1)).splitlines()
    assert sum("must be 1,000" in line for line in lines) == ROWS_SHOWN_MAX
    assert "and 3 rows more" in lines
    assert "late: expected 7..8, found 9" in lines
    assert f"{ROWS_SHOWN_MAX + 3} rows and 1 counts differ" in lines


def test_json_holds_every_difference() -> None:
    fields = as_json(result(rows=30, counts=1))
    assert fields["exact"] is False
    assert fields["mismatched_rows"] == len(fields["rows"]) == 30
    assert fields["rows"][0]["columns"] == {"input_tokens": {"expected": 1_000, "found": 1_001}}
    assert fields["counts"] == [
        {"name": "late", "expected_least": 7, "expected_most": 8, "found": 9}
    ]
    assert fields["rejected"] == 5
    assert as_json(result())["exact"] is True
