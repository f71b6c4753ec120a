"""An audit's result, for people and for scripts."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from services.platform.printable import shown
from services.platform.terminal import cell
from services.simulator.audit import AuditResult
from services.simulator.comparison import RowDifference

ROWS_SHOWN_MAX: Final = 20


def print_result(result: AuditResult, console: Console) -> None:
    """Print what was compared, and each difference up to a limit."""
    table = Table(title="Audit: ledger against meter")
    for column in ("compared", "rows", "differ"):
        table.add_column(column, justify="left" if column == "compared" else "right")
    differing = Counter(row.view for row in result.rows)
    for view, rows in result.rows_compared.items():
        table.add_row(cell(view), f"{rows:,}", str(differing[view]))
    console.print(table)
    expected, found = result.expected, result.found
    console.print(
        f"sent {expected.sent:,} · metered {found.accepted:,} of {expected.unique:,} ·"
        f" duplicates dropped {found.duplicate:,} · dead letters"
        f" {sum(found.rejected.values()):,} · refused by ingest {expected.refused:,} ·"
        f" late {found.late:,}",
        highlight=False,
        soft_wrap=True,
    )
    if result.rows:
        for row in result.rows[:ROWS_SHOWN_MAX]:
            console.print(
                shown(difference_line(row)), soft_wrap=True, markup=False, highlight=False
            )
        if len(result.rows) > ROWS_SHOWN_MAX:
            console.print(f"and {len(result.rows) - ROWS_SHOWN_MAX:,} rows more")
    for count in result.counts:
        console.print(
            f"[red]{cell(count.name)}[/red]: expected {count.expected}, found {count.found}"
        )
    console.print(
        "[green]exact: every row and count is equal[/green]"
        if result.exact
        else f"[red]{len(result.rows)} rows and {len(result.counts)} counts differ[/red]"
    )


def as_json(result: AuditResult) -> dict[str, Any]:
    """Give the result for scripts, all differences included."""
    return {
        "exact": result.exact,
        "events_sent": result.expected.sent,
        "unique_events": result.expected.unique,
        "metered_events": result.found.accepted,
        "duplicates_dropped": result.found.duplicate,
        "rejected": sum(result.found.rejected.values()) + result.expected.refused,
        "late": result.found.late,
        "rows_compared": result.rows_compared,
        "mismatched_rows": len(result.rows),
        "rows": [
            {
                "view": row.view,
                "key": list(row.key),
                "kind": row.kind,
                "columns": {
                    name: {"expected": must, "found": found} for name, must, found in row.columns
                },
            }
            for row in result.rows
        ],
        "counts": [
            {
                "name": count.name,
                "expected_least": count.expected.least,
                "expected_most": count.expected.most,
                "found": count.found,
            }
            for count in result.counts
        ],
    }


def difference_line(row: RowDifference) -> str:
    """Say in one line which row differs, how, and in which columns."""
    columns = ", ".join(
        f"{name} must be {must:,} and is {found:,}" for name, must, found in row.columns
    )
    return f"{row.kind} in {row.view}: {_key(row)}: {columns}"


def _key(row: RowDifference) -> str:
    first, *rest = row.key
    if isinstance(first, int):
        first = datetime.fromtimestamp(first, UTC).strftime("%Y-%m-%d %H:%MZ")
    return " · ".join([first, *(str(part) if part != "" else "none" for part in rest)])
