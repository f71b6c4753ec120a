"""The bill on a terminal: no figure is cut, however narrow it is."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from services.billing.statement_table import print_statement
from tests.unit.services.billing.bills import billed, full, line, statement


@pytest.mark.parametrize("width", [80, 200])
def test_every_figure_is_whole(width: int) -> None:
    out = io.StringIO()
    print_statement(full("[red]acme"), Console(file=out, width=width))
    text = out.getvalue()
    for figure in (
        *("Total USD 1.899991", "Amount due USD 1.90", "1.8000012", "-0.000012", "[red]acme"),
        *("Due 2026-07-03", "-21.2 %", "3,100"),
        *(("corrects req-1: stream broke off",) if width > 80 else ()),
    ):
        assert figure in text, figure
    assert "…" not in text
    assert "Not in it: 77 tokens" in text


def test_a_credit_is_called_one() -> None:
    out = io.StringIO()
    bill = billed(statement(line("adjustment", 1, "-5", entry="credit")))
    print_statement(bill, Console(file=out, width=100))
    assert "Credit balance USD 5.00" in out.getvalue()
    assert "Amount due" not in out.getvalue()
