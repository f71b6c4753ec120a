"""What a reconciliation says to people and to scripts."""

from __future__ import annotations

import io
import json
from decimal import Decimal

from rich.console import Console

from services.reconcile.findings import Reconciliation
from services.reconcile.report import FINDINGS_SHOWN_MAX, as_json, print_reconciliation
from tests.unit.services.reconcile.scenes import (
    DAYS,
    bill,
    calls,
    charged,
    line,
    meter,
    reconciled,
    used,
)


def printed(found: Reconciliation) -> str:
    written = io.StringIO()
    print_reconciliation(found, Console(file=written, width=160))
    return written.getvalue()


def lossy() -> Reconciliation:
    usage = [used("uncached_input", 1_998_000, model="[red]m"), used("output", 100_000)]
    lines = [
        line("uncached_input", 2_000_000, "4", model="[red]m"),
        line("output", 100_000, "1.35"),
    ]
    requests = {(DAYS[0], "openai", "[red]m"): 2000}
    metered = meter(
        *usage, charges=map(charged, usage), requests=[calls(1998, model="[red]m", failed=0)]
    )
    return reconciled(bill(*lines, requests=requests), with_=metered)


def test_people_see_both_sides_the_causes_and_where() -> None:
    text = "\n" + printed(lossy())
    for told in (
        "\nmade up, openai, 2026-10-01..2026-10-03 (UTC) against the meter",
        "[red]m",
        "2,100,000",
        "not reported",
        "requests: 2,000 billed, 1,998 metered",
        "billed at 13.5 a million, metered at 12",
        "the meter dropped 0 duplicates and refused 0 records",
        "not reconciled within 0.05 %: tokens by 0.0952 %, USD by 2.8785 %",
    ):
        assert told in text, text


def test_scripts_get_exact_numbers_as_text() -> None:
    found = as_json(lossy())
    assert json.loads(json.dumps(found)) == found
    assert not found["within_tolerance"]
    tokens, money = found["totals"]
    assert (tokens["measure"], tokens["billed"], tokens["metered"]) == (
        "tokens",
        "2100000",
        "2098000",
    )
    assert tokens["causes"] == {"not reported": {"more": "2000", "less": "0", "percent": "0.0952"}}
    assert Decimal(money["difference"]) == Decimal("0.154")
    amounts = {one["cause"]: Decimal(one["amount"]) for one in found["differences"]}
    assert amounts == {"not reported": Decimal("0.004"), "other price": Decimal("0.15")}
    assert found["days"] == [{"first": "2026-10-01", "end": "2026-10-04"}]


def test_what_agrees_is_said_in_a_line() -> None:
    found = reconciled(bill(line("output", 10)), with_=meter(used("output", 10)))
    assert "reconciled: nothing differs" in printed(found)
    assert "Causes" not in printed(found)


def test_a_bill_within_the_tolerance_says_so() -> None:
    found = reconciled(
        bill(line("output", 1_000_000)), with_=meter(used("output", 999_900)), tolerance="0.05"
    )
    assert "reconciled within 0.05 %" in printed(found)
    assert "0.0100" in printed(found)


def test_of_many_differences_the_largest_are_shown() -> None:
    models = [f"model-{number}" for number in range(FINDINGS_SHOWN_MAX + 5)]
    lines = [line("output", 10**6 + n, model=model) for n, model in enumerate(models)]
    usage = [used("output", 10**6, model=model) for model in models]
    found = reconciled(bill(*lines), with_=meter(*usage))
    text = printed(found)
    assert f"and {len(models) - 1 - FINDINGS_SHOWN_MAX} differences more" in text
    assert models[-1] in text and f"{models[1]} " not in text


def test_a_share_that_is_not_nothing_is_not_shown_as_nothing() -> None:
    found = reconciled(bill(line("output", 10**9)), with_=meter(used("output", 10**9 - 1)))
    assert "<0.0001" in printed(found)
