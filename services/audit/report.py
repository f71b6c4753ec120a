"""An audit's findings, for people and for scripts."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from services.audit.findings import Difference, Findings
from services.audit.span import FOREVER
from services.platform.printable import shown
from services.platform.terminal import cell

DIFFERENCES_SHOWN_MAX: Final = 20


def print_findings(findings: Findings, console: Console) -> None:
    """Print what was read and compared, and each difference up to a limit."""
    table = Table(title=f"Audit: {cell(findings.topic)} against the meter")
    columns = ("partition", "read from", "checkpoint", "log end", "records", "markers", "aborted")
    for column in (*columns, "accepted", "duplicates", "rejected"):
        table.add_column(column, justify="right")
    for one in findings.partitions:
        numbers = (one.read_from, one.checkpoint, one.log_end, one.records, one.markers)
        counts = (one.aborted, one.accepted, one.duplicate, one.rejected)
        table.add_row(str(one.partition), *(f"{number:,}" for number in (*numbers, *counts)))
    console.print(table)
    differing = Counter(one.view for one in findings.differences if one.check == "views = log")
    for view, rows in findings.compared.items():
        moving = findings.moving.get(view, 0)
        still = f", {moving:,} of them only by their slices: they moved" if moving else ""
        console.print(f"{view}: {rows:,} rows{still}; {differing[view]:,} differ", highlight=False)
    console.print(f"windows {_span(findings)}", highlight=False)
    for note in findings.notes:
        console.print(shown(note), soft_wrap=True, markup=False, highlight=False)
    for difference in findings.differences[:DIFFERENCES_SHOWN_MAX]:
        console.print(
            shown(difference_line(difference)), soft_wrap=True, markup=False, highlight=False
        )
    if len(findings.differences) > DIFFERENCES_SHOWN_MAX:
        console.print(f"and {len(findings.differences) - DIFFERENCES_SHOWN_MAX:,} differences more")
    console.print(
        "[green]exact: nothing differs[/green]"
        if findings.exact
        else f"[red]{len(findings.differences):,} differences[/red]"
    )


def as_json(findings: Findings) -> dict[str, Any]:
    """Give the findings for scripts, all differences included."""
    return {
        "exact": findings.exact,
        "log": findings.log,
        "topic": findings.topic,
        "span": {"from": moment(findings.since), "to": moment(findings.until)},
        "partitions": [asdict(one) for one in findings.partitions],
        "compared": findings.compared,
        "moving": findings.moving,
        "notes": findings.notes,
        "differences": [
            {**asdict(one), "window": None if one.window is None else moment(one.window)}
            for one in findings.differences
        ],
    }


def difference_line(one: Difference) -> str:
    """Say in one line what differs, where, and by how much."""
    window = "" if one.window is None else moment(one.window)
    names = (one.region, one.provider, one.model, one.tenant, one.entry, one.variety)
    key = " · ".join(str(part) for part in (one.view, window, *names) if part)
    place = "" if one.partition is None else f"partition {one.partition}"
    if one.offset is not None:
        place += f", offset {one.offset}"
    where = "; ".join(part for part in (key, place) if part)
    detail = f" ({one.detail})" if one.detail else ""
    return f"{one.check}: {where}: {one.measure} must be {one.expected} and is {one.found}{detail}"


def moment(seconds: int) -> str | None:
    """Write a time in UTC; None for the beginning and the end of all time."""
    if seconds in (0, FOREVER):
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _span(findings: Findings) -> str:
    since, until = moment(findings.since), moment(findings.until)
    if since is None and until is None:
        return "of all time"
    return f"from {since or 'the first'} to {until or 'the last'}"
