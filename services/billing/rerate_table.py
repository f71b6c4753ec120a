"""A rerating for the terminal: the lines that differ, and what all come to."""

from __future__ import annotations

from decimal import Decimal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from services.billing.exact import written
from services.billing.rerate import Line, Rated, Rerating
from services.platform.terminal import cell


def print_rerating(rerating: Rerating, console: Console) -> None:
    """Print it; that nothing differs is said in so many words."""
    whose = "all tenants" if rerating.tenant is None else rerating.tenant
    what = f"{whose}, {rerating.start} up to, but not, {rerating.end} (UTC)"
    if not rerating.lines:
        console.print(cell(f"No charge differs: {what}, {rerating.lines_same:,} lines"))
    else:
        console.print(cell(f"Charges that differ: {what}"))
        console.print(_lines(rerating))
        console.print(f"{rerating.lines_same:,} other lines do not differ", highlight=False)
    for one in rerating.sums:
        console.print(
            f"{one.currency}: old {_money(one.old)}, new {_money(one.new)},"
            f" difference {_signed(one.difference)}",
            highlight=False,
        )
    if rerating.unpriced_old or rerating.unpriced_new:
        console.print(
            f"Without a price: old {rerating.unpriced_old:,}, new {rerating.unpriced_new:,}"
            " tokens and units",
            highlight=False,
        )
    if rerating.demand_differs:
        console.print("Demand charges differ too; they are in no line and no sum here.")


def _lines(rerating: Rerating) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("tenant", "model", "class", "tier, band", "period"):
        table.add_column(column, overflow="fold")
    for column in ("quantity", "old price", "new price", "old", "new", "difference"):
        table.add_column(column, justify="right", overflow="fold")
    for line in rerating.lines:
        table.add_row(*map(cell, _labels(line)), *_numbers(line))
    return table


def _labels(line: Line) -> tuple[str, ...]:
    kind = line.token_class or line.unit
    band = f", above {line.context_band:,}" if line.context_band else ""
    periods = dict.fromkeys((line.old.tou_period, line.new.tou_period))
    return (
        line.tenant,
        f"{line.provider}, {line.model}",
        kind if line.entry == "usage" else f"{line.entry} {kind}",
        f"{line.service_tier or 'standard'}{band}",
        " → ".join(periods),
    )


def _numbers(line: Line) -> tuple[str, ...]:
    per = "/k" if line.unit else "/M"
    difference = "other currency" if line.difference is None else _signed(line.difference)
    return (
        f"{line.quantity:,}",
        *(_price(one, per) for one in (line.old, line.new)),
        *(_money(one.amount) for one in (line.old, line.new)),
        difference,
    )


def _price(rated: Rated, per: str) -> str:
    if rated.price is None:
        return _money(None)
    return f"{rated.currency} {_money(rated.price)}{per}"


def _money(amount: Decimal | None) -> str:
    return "unpriced" if amount is None else written(amount)


def _signed(amount: Decimal) -> str:
    return f"{'+' if amount > 0 else ''}{_money(amount)}"
