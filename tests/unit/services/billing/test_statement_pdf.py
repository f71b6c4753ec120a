"""The bill as PDF: it is one, with pages enough, and the same bill is the same file."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("reportlab")

from services.billing.statement_pdf import render_pdf
from tests.unit.services.billing.bills import bill, full, line


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b(?!s)", pdf))


def test_the_same_statement_is_the_same_file() -> None:
    first = render_pdf(full())
    assert first.startswith(b"%PDF-") and first.rstrip().endswith(b"%%EOF")
    assert pages(first) == 1
    assert render_pdf(full()) == first
    assert render_pdf(full(running=True)) != first


def test_many_lines_and_the_longest_names_fit() -> None:
    lines = [line("energy", 1, "1", model=f"{number:03}" + "m" * 125) for number in range(200)]
    assert pages(render_pdf(bill(*lines, tenant="<&>" + "W" * 125))) > 5
