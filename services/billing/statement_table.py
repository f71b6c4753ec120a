"""A statement on the terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from services.billing.statement import (
    Statement,
    energy_lines,
    grouped,
    money,
    unpriced_lines,
)
from services.platform.printable import shown
from services.platform.terminal import cell

BAR_CELLS = 40


def print_statement(statement: Statement, console: Console) -> None:
    """Print the whole statement: readings, lines, totals, daily load."""
    state = ", running: preliminary" if statement.running else ""
    console.print(
        f"Statement of {shown(statement.tenant)}, {statement.period_start} up to"
        f" {statement.period_end} UTC{state}",
        markup=False,
        highlight=False,
    )
    console.print(_readings(statement))
    console.print(_energy(statement))
    others = _others(statement)
    if others.row_count:
        console.print(others)
    console.print(_load(statement))
    console.print(f"Total USD {money(statement.total_usd)}", highlight=False)
    console.print(f"[bold]Amount due USD {statement.due_usd:,.2f}[/]", highlight=False)
    if statement.unpriced_tokens:
        console.print(
            f"Not in it: {statement.unpriced_tokens:,} tokens that no price fits", highlight=False
        )


def _table(title: str, *columns: str, right: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in columns:
        # A number is never cut or broken; names fold where the terminal is narrow.
        number = column in right
        table.add_column(
            column, justify="right" if number else "left", no_wrap=number, overflow="fold"
        )
    return table


def _readings(statement: Statement) -> Table:
    table = _table(
        *("Meter readings, tokens", "register", "start", "end", "used"),
        right=("start", "end", "used"),
    )
    for one in statement.readings:
        table.add_row(
            cell(one.register),
            f"{one.start_tokens:,}",
            f"{one.end_tokens:,}",
            f"{one.used_tokens:,}",
        )
    return table


def _energy(statement: Statement) -> Table:
    table = _table(
        *("Energy", "model", "period", "tokens", "USD/M", "USD"),
        right=("tokens", "USD/M", "USD"),
    )
    models = grouped(statement.of("energy"), lambda line: (line.provider, line.model))
    for whole in models:
        provider, model = whole.labels
        table.add_row(
            *(f"[bold]{cell(model)}[/] at {cell(provider)}", "", f"{whole.tokens:,}", ""),
            f"[bold]{money(whole.amount_usd)}[/]",
        )
        for line in energy_lines(statement):
            if line.labels[:2] == whole.labels:
                *_, token_class, period, price = line.labels
                table.add_row(
                    *(cell(f"  {token_class}"), cell(period), f"{line.tokens:,}"),
                    *(money(price), money(line.amount_usd)),
                )
    table.add_section()
    table.add_row("Energy", "", "", "", money(statement.subtotal_usd("energy")))
    return table


def _others(statement: Statement) -> Table:
    table = _table(
        *("Demand, adjustments, unpriced", "line", "of", "tokens", "price", "USD"),
        right=("tokens", "price", "USD"),
    )
    for line in statement.of("demand"):
        where = "all regions" if line.region == "*" else line.region
        table.add_row(
            *("demand", cell(f"{where}, highest hour {line.peak_hour:%Y-%m-%d %H:%M}")),
            f"{line.demand_tokens_per_second or 0:,} tokens/s",
            f"{money(line.usd_per_token_per_second)} a token/s",
            money(line.amount_usd),
        )
    for line in statement.of("adjustment"):
        what = f"{line.region}, {line.provider}, {line.model}, {line.token_class}"
        table.add_row(
            *(cell(line.entry), cell(f"{what}, {line.tou_period}"), f"{line.tokens:,}"),
            *(f"{money(line.usd_per_million_tokens)}/M", money(line.amount_usd)),
        )
    for group in unpriced_lines(statement):
        entry, *labels = group.labels
        name = "unpriced" if entry == "usage" else cell(f"unpriced {entry}")
        table.add_row(name, cell(", ".join(labels)), f"{group.tokens:,}", "", "unpriced")
    return table


def _load(statement: Statement) -> Table:
    table = _table("Load by day (UTC)", "day", "tokens", "load", right=("tokens",))
    highest = max((tokens for _, tokens in statement.daily_tokens), default=0)
    for day, tokens in statement.daily_tokens:
        bar = "█" * round(BAR_CELLS * tokens / highest) if highest else ""
        table.add_row(f"{day}", f"{tokens:,}", bar)
    return table
