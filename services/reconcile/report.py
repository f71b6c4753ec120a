"""What a reconciliation found, for people and for scripts."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from services.platform.printable import shown
from services.platform.terminal import cell
from services.reconcile.bill import Days
from services.reconcile.findings import Finding, Reconciliation, Sum, Totals

FINDINGS_SHOWN_MAX: Final = 25
#: Amounts are shown to a millionth; in JSON they are whole.
AMOUNT_STEP: Final = Decimal("0.000001")
PERCENT_STEP: Final = Decimal("0.0001")


def print_reconciliation(found: Reconciliation, console: Console) -> None:
    """Print both sides, the causes, the largest differences, and the verdict."""
    bill = " with ".join(found.formats)
    who = ", ".join(filter(None, found.providers)) or "all providers"
    _line(console, f"{bill}, {who}, {_days(found.covered)} (UTC) against the meter")
    console.print(_sides(found))
    causes = _causes(found)
    if causes.row_count:
        console.print(causes)
        console.print(_largest(found))
    rest = len(found.findings) - FINDINGS_SHOWN_MAX
    if rest > 0:
        _line(console, f"and {rest:,} differences more: --json has all")
    for one in found.left_out:
        amount = f", {_amount(one.amount)}" if one.amount else ""
        _line(console, f"not compared: {one.what}, {one.rows:,} rows{amount}")
    for note in found.notes:
        _line(console, note)
    _verdict(found, console)


def as_json(found: Reconciliation) -> dict[str, Any]:
    """Give all of it for scripts; amounts and percentages as text, exact."""
    return {
        "within_tolerance": found.within_tolerance,
        "tolerance_percent": str(found.tolerance_percent),
        "formats": list(found.formats),
        "providers": list(found.providers),
        "days": [
            {"first": f"{days.first}", "end": f"{days.end}"} for days in _joined(found.covered)
        ],
        "currency": found.currency or None,
        "totals": [_totals_json(found, one) for one in found.totals],
        "differences": [_finding_json(one) for one in found.findings],
        "left_out": [
            {"what": one.what, "rows": one.rows, "amount": f"{one.amount:f}"}
            for one in found.left_out
        ],
        "notes": list(found.notes),
    }


def _totals_json(found: Reconciliation, totals: Totals) -> dict[str, Any]:
    return {
        "measure": totals.measure,
        "billed": f"{totals.billed:f}",
        "metered": f"{totals.metered:f}",
        "difference": f"{totals.difference:f}",
        "difference_percent": _percent(totals.percent(totals.difference)),
        "deviation_percent": _percent(found.deviation_percent(totals)),
        "causes": {
            cause.value: {
                "more": f"{one.more:f}",
                "less": f"{one.less:f}",
                "percent": _percent(totals.percent(one.size)),
            }
            for cause, one in found.sums(totals.measure).items()
        },
    }


def _finding_json(one: Finding) -> dict[str, Any]:
    key = one.key
    return {
        "first_day": f"{key.days.first}",
        "end_day": f"{key.days.end}",
        "provider": key.provider or None,
        "model": key.model or None,
        "billed_as": key.billed_as,
        "service_tier": key.service_tier or None,
        "context": str(key.context) or None,
        "cause": one.cause.value,
        "quantity": one.quantity,
        "amount": None if one.amount is None else f"{one.amount:f}",
        "evidence": one.evidence,
    }


def _table(title: str, *columns: str, right: Iterable[str]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    numbers = set(right)
    for column in columns:
        number = column in numbers
        table.add_column(
            column, justify="right" if number else "left", no_wrap=number, overflow="fold"
        )
    return table


def _sides(found: Reconciliation) -> Table:
    columns = ("billed", "metered", "bill - meter", "%", "out of place, %")
    table = _table("Both sides", "of", *columns, right=columns)
    for one in found.totals:
        money = one.measure == found.currency
        table.add_row(
            cell(one.measure),
            *(_value(number, money) for number in (one.billed, one.metered, one.difference)),
            _percent(one.percent(one.difference)),
            _percent(found.deviation_percent(one)),
        )
    return table


def _causes(found: Reconciliation) -> Table:
    columns = ("only on the bill", "only on the meter", "% of the bill")
    table = _table("Causes", "cause", "of", *columns, right=columns)
    for totals in found.totals:
        money = totals.measure == found.currency
        for cause, one in found.sums(totals.measure).items():
            table.add_row(cell(cause), cell(totals.measure), *_sides_of(one, money, totals))
    return table


def _sides_of(one: Sum, money: bool, totals: Totals) -> tuple[str, str, str]:
    """Give what only the bill has, what only the meter has, and their share."""
    more, less = (_value(value, money) if value else "" for value in (one.more, one.less))
    return more, less, _percent(totals.percent(one.size))


def _largest(found: Reconciliation) -> Table:
    numbers = ("quantity", "amount")
    table = _table(
        "The largest differences, bill - meter",
        *("day", "model", "class", "cause", *numbers, "by"),
        right=numbers,
    )
    largest = sorted(found.findings, key=_size, reverse=True)[:FINDINGS_SHOWN_MAX]
    for one in sorted(largest, key=lambda finding: finding.key):
        key = one.key
        parts = (key.billed_as, key.service_tier, str(key.context))
        table.add_row(
            *(f"{key.days}", cell(key.model or "all models")),
            *(cell(", ".join(part for part in parts if part)), cell(one.cause)),
            "" if one.quantity is None else f"{one.quantity:+,}",
            "" if one.amount is None else _amount(one.amount, sign=True),
            cell(one.evidence),
        )
    return table


def _size(one: Finding) -> tuple[Decimal, int]:
    return abs(one.amount or Decimal(0)), abs(one.quantity or 0)


def _verdict(found: Reconciliation, console: Console) -> None:
    limit = f"{found.tolerance_percent.normalize():f} %"
    if not found.findings:
        console.print("[green]reconciled: nothing differs[/green]", highlight=False)
    elif found.within_tolerance:
        console.print(f"[green]reconciled within {limit}[/green]", highlight=False)
    else:
        wide = [
            one for one in found.totals if found.deviation_percent(one) > found.tolerance_percent
        ]
        told = ", ".join(
            f"{cell(one.measure)} by {_percent(found.deviation_percent(one))} %" for one in wide
        )
        console.print(f"[red]not reconciled within {limit}: {told}[/red]", highlight=False)


def _line(console: Console, text: str) -> None:
    console.print(shown(text), soft_wrap=True, markup=False, highlight=False)


def _days(covered: Iterable[Days]) -> str:
    return ", ".join(map(str, _joined(covered)))


def _joined(covered: Iterable[Days]) -> list[Days]:
    """Join days that follow one another."""
    joined: list[Days] = []
    for one in sorted(covered):
        if joined and one.first <= joined[-1].end:
            joined[-1] = Days(joined[-1].first, max(joined[-1].end, one.end))
        else:
            joined.append(one)
    return joined


def _value(value: Decimal, money: bool) -> str:
    return _amount(value) if money else f"{int(value):,}"


def _amount(amount: Decimal, *, sign: bool = False) -> str:
    cut = amount.quantize(AMOUNT_STEP, ROUND_HALF_EVEN)
    return f"{cut:+,f}" if sign else f"{cut:,f}"


def _percent(value: Decimal) -> str:
    """Write a percentage; what is not nothing is not shown as nothing."""
    cut = value.quantize(PERCENT_STEP, ROUND_HALF_EVEN)
    return f"{cut:f}" if cut or not value else "<0.0001"
