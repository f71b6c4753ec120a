"""Reads the golden files: exports with made-up content, in the shapes that providers give them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from services.reconcile.bill import Bill, Context, Key, one_day
from services.reconcile.formats.detecting import Reader

GOLDEN = Path(__file__).with_name("golden")
OCTOBER = [one_day(date(2026, 10, day)) for day in range(1, 32)]
#: Anthropic's sides of its threshold.
SHORT = Context(200_000, above=False)
LONG = Context(200_000, above=True)


def read(*names: str) -> Bill:
    """Read files that make up one bill."""
    reader = Reader()
    for name in names:
        reader.read(name, (GOLDEN / name).read_text(encoding="utf-8"))
    (bill,) = reader.bills()
    return bill


def quantities(bill: Bill) -> dict[tuple[object, ...], int]:
    """Give what is not 0, by what is told of it."""
    return {short(key): one.quantity for key, one in bill.lines.items() if one.quantity}


def amounts(bill: Bill) -> dict[tuple[object, ...], str]:
    """Give amounts as text, so that nothing is rounded in a comparison."""
    return {
        short(key): f"{one.amount:f}" for key, one in bill.lines.items() if one.amount is not None
    }


def short(key: Key) -> tuple[object, ...]:
    """Give day, model and class of a key, and its tier and context where it has them."""
    told = [key.service_tier] if key.service_tier else []
    context = [key.context] if key.context.threshold_tokens else []
    return (key.days.first.day, key.model, key.billed_as, *told, *context)
