"""A bill on the terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from services.billing.bill import Bill
from services.billing.bill_sections import sections
from services.billing.masthead import masthead
from services.billing.sections import Row, Section
from services.platform.printable import shown
from services.platform.terminal import cell

BAR_CELLS = 40


def print_statement(bill: Bill, console: Console) -> None:
    """Print the whole bill: its head, each section, and what is due."""
    head, statement = masthead(bill), bill.statement
    state = ", running: preliminary" if statement.running else ""
    _print(
        console,
        f"{head.title} of {statement.tenant}, {statement.period_start} up to"
        f" {statement.period_end} UTC{state}",
    )
    for name, text in head.facts:
        if name != "Period":
            _print(console, f"{name} {text}")
    for section in sections(bill):
        if section.rows:
            console.print(_table(section))
        if section.daily_tokens:
            console.print(_load(section))
    _print(console, f"Total {bill.currency} {bill.written(bill.exact_net)}")
    console.print(f"[bold]{cell(head.due_label)} {cell(head.due)}[/]", highlight=False)
    if statement.unpriced_tokens:
        _print(console, f"Not in it: {statement.unpriced_tokens:,} tokens that no price fits")


def _print(console: Console, line: str) -> None:
    console.print(shown(line), markup=False, highlight=False)


def _table(section: Section) -> Table:
    table = Table(title=section.title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in section.columns:
        # A number is never cut or broken; names fold where the terminal is narrow.
        table.add_column(
            cell(column.title),
            justify="right" if column.number else "left",
            no_wrap=column.number,
            overflow="fold",
        )
    for row in section.rows:
        _add(table, len(section.columns), row)
    return table


def _add(table: Table, columns: int, row: Row) -> None:
    cells = [cell(text) for text in row.cells]
    if row.detail:
        cells[0] += f"\n  [dim]{cell(row.detail)}[/]"
    if row.kind == "total":
        table.add_section()
    blank = [""] * (columns - len(cells))
    table.add_row(*cells, *blank, style=None if row.kind == "line" else "bold")


def _load(section: Section) -> Table:
    table = Table(
        title=f"{section.title} (UTC)", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    table.add_column("day")
    table.add_column("tokens", justify="right", no_wrap=True)
    table.add_column("load")
    highest = max((tokens for _, tokens in section.daily_tokens), default=0)
    for day, tokens in section.daily_tokens:
        bar = "█" * round(BAR_CELLS * tokens / highest) if highest else ""
        table.add_row(day, f"{tokens:,}", bar)
    return table
