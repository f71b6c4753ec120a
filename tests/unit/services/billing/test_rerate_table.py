"""What is printed: lines that differ, sums, and that nothing differs."""

from __future__ import annotations

import io
from dataclasses import replace
from decimal import Decimal

from rich.console import Console

from services.billing.rerate import Rerating
from services.billing.rerate_table import print_rerating
from tests.unit.services.billing.rerated import (
    CREDITED,
    DEARER,
    NEWLY_PRICED,
    OLD,
    SAME,
    rerating,
)


def printed(found: Rerating) -> str:
    file = io.StringIO()
    print_rerating(found, Console(file=file, width=220))
    return file.getvalue()


def test_lines_and_sums() -> None:
    text = printed(rerating(DEARER, SAME, NEWLY_PRICED, CREDITED))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert (
        lines[0] == "Charges that differ: all tenants, 2026-10-01 up to, but not, 2026-11-01 (UTC)"
    )
    assert (
        "acme openai, gpt-5 output standard flat"
        " 1,200,000 USD 10.00/M USD 10.50/M 12.00 12.60 +0.60" in lines
    )
    assert (
        "acme openai, unheard-of output batch, above 200,000 unpriced → flat"
        " 5 unpriced USD 2.00/M unpriced 0.00001 +0.00001" in lines
    )
    assert (
        "acme openai, gpt-5 credit web_searches standard flat"
        " 3 USD 10.00/k USD 9.00/k -0.03 -0.027 +0.003" in lines
    )
    assert "1 other lines do not differ" in lines
    assert "USD: old 23.97, new 24.57301, difference +0.60301" in lines
    assert "Without a price: old 5, new 0 tokens and units" in lines


def test_that_nothing_differs_is_said() -> None:
    text = printed(rerating(SAME))
    assert text.startswith("No charge differs: all tenants, 2026-10-01 up to")
    assert "USD: old 12.00, new 12.00, difference 0.00" in text
    assert "Demand charges" not in text
    assert "Demand charges differ too" in printed(rerating(SAME, demand_differs=True))


def test_two_currencies_have_no_difference() -> None:
    text = printed(rerating(replace(DEARER, new=replace(OLD, currency="CNY"))))
    assert "CNY 10.00/M" in text and "other currency" in text


def test_digits_are_never_rounded_and_names_never_obeyed() -> None:
    amount = Decimal("12345678901234567890123456789.123456789012345")
    found = replace(
        DEARER, tenant="[red]\x1b[2J", new=replace(OLD, price=Decimal(1), amount=amount)
    )
    text = printed(rerating(found))
    assert "12,345,678,901,234,567,890,123,456,789.123456789012345" in text
    assert "\x1b" not in text and "[red]" in text
