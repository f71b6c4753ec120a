"""The bill on a terminal: no figure is cut, however narrow it is."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from services.billing.statement_table import print_statement
from tests.unit.services.billing.bills import full


@pytest.mark.parametrize("width", [80, 200])
def test_every_figure_is_whole(width: int) -> None:
    out = io.StringIO()
    print_statement(full("[red]acme"), Console(file=out, width=width))
    text = out.getvalue()
    for figure in (
        "Total USD 1.899991",
        "Amount due USD 1.90",
        "1.8000012",
        "-0.000012",
        "[red]acme",
    ):
        assert figure in text, figure
    assert "…" not in text
    assert "Not in it: 77 tokens" in text
