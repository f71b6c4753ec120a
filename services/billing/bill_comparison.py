"""PURE. A bill beside the month before: by model, and in all."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal

from services.billing.bill import Bill, BillLine, grouped, subtotal
from services.billing.exact import ZERO, rounded, written
from services.billing.sections import Row, Section, numbers, texts
from services.billing.statement import PRICED, used_tokens

#: Enough digits for a quotient that is shown with one decimal.
_QUOTIENT = Context(prec=100, rounding=ROUND_HALF_UP)
Figures = tuple[int, Decimal]
NOTHING: Figures = (0, ZERO)


def comparison(bill: Bill) -> Section:
    """Tokens and amounts of both months by model, then all charges; no rows if both have none."""
    before, now = _by_model(bill.before), _by_model(bill.lines)
    rows = [
        _row(bill, f"{model}, {provider}", before.get(key, NOTHING), now.get(key, NOTHING))
        for key in sorted(before.keys() | now.keys())
        for provider, model in [key]
    ]
    for kind, name in (("adjustment", "Adjustments"), ("demand", "Demand")):
        both = [(0, subtotal(lines, kind)) for lines in (bill.before, bill.lines)]
        if any(amount for _, amount in both):
            rows.append(_row(bill, name, *both, tokens=False))
    if rows:
        rows.append(_row(bill, "All charges", _all(bill.before), _all(bill.lines), kind="total"))
    statement = bill.statement
    months = [f"{day:%Y-%m}" for day in (statement.before_start, statement.period_start)]
    return Section(
        "Compared with the month before",
        (
            *texts("Model"),
            *numbers(*(f"Tokens {month}" for month in months)),
            *numbers(*(f"{bill.currency} {month}" for month in months), "Change"),
        ),
        tuple(rows),
        note=f"Rounded; tokens of adjustments are not counted.{_rates(bill)}{_running(bill)}",
    )


def _rates(bill: Bill) -> str:
    converted = any(one.rate for one in bill.before)
    return " Both months are converted at this month's rates." if converted else ""


def _running(bill: Bill) -> str:
    return " The month is not over, the one before is whole." if bill.statement.running else ""


def _by_model(lines: Sequence[BillLine]) -> dict[tuple[str, str], Figures]:
    """Plain usage by (provider, model); what is unpriced has tokens and no amount."""
    used = [one for one in lines if one.line.kind in ("energy", "unpriced")]
    groups = grouped(
        (one for one in used if one.line.entry == "usage"),
        lambda line: (line.provider, line.model),
    )
    return {
        (str(one.labels[0]), str(one.labels[1])): (
            used_tokens(part.line for part in one.lines),
            one.amount or ZERO,
        )
        for one in groups
    }


def _all(lines: Sequence[BillLine]) -> Figures:
    return used_tokens(one.line for one in lines), subtotal(lines, *PRICED)


def _row(
    bill: Bill, name: str, before: Figures, now: Figures, *, tokens: bool = True, kind: str = "line"
) -> Row:
    counts = [f"{one[0]:,}" if tokens else "" for one in (before, now)]
    amounts = [written(rounded(one[1], bill.decimals), bill.decimals) for one in (before, now)]
    change = _change(before[1], now[1])
    return Row((name, *counts, *amounts, change), "total" if kind == "total" else "line")


def _change(before: Decimal, now: Decimal) -> str:
    """The change in percent of what it was; '' where it was nothing."""
    if before == 0:
        return "" if now == 0 else "new"
    change = _QUOTIENT.divide(_QUOTIENT.subtract(now, before), before.copy_abs())
    percent = rounded(_QUOTIENT.multiply(change, Decimal(100)), 1)
    return f"{percent:+,.1f} %" if percent else "0.0 %"
