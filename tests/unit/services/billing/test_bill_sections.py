"""What stands on a bill: every figure, grouped for people, with what it is made of."""

from __future__ import annotations

from decimal import Decimal

from services.billing.bill import Bill
from services.billing.bill_sections import sections
from services.billing.sections import Row, Section
from tests.unit.services.billing.bills import (
    PEAK,
    adjustment,
    billed,
    demand,
    full,
    full_statement,
    line,
    statement,
)


def section(bill: Bill, title: str) -> Section:
    (found,) = (one for one in sections(bill) if one.title == title)
    return found


def rows(bill: Bill, title: str) -> list[tuple[str, ...]]:
    return [row.cells for row in section(bill, title).rows]


def test_every_row_has_a_text_for_each_column() -> None:
    for one in sections(full()):
        for row in one.rows:
            wanted = 1 if row.kind == "heading" else len(one.columns)
            assert len(row.cells) == wanted, one.title


def test_the_summary_ends_with_what_is_due() -> None:
    assert rows(full(), "Summary") == [
        ("Energy", "1.800003"),
        ("Demand", "0.10"),
        ("Adjustments", "-0.000012"),
        ("Sum, exact", "1.899991"),
        ("Net amount", "1.90"),
        ("Amount due", "1.90"),
    ]


def test_energy_has_each_model_with_its_subtotal_all_regions_together() -> None:
    found = section(full(), "Energy")
    assert [column.title for column in found.columns] == [
        *("Token class", "Period", "Tokens", "USD\u00a0/\u00a0M", "USD")
    ]
    assert found.rows == (
        Row(("gpt-5.6-luna, openai",), "heading"),
        Row(("output", "flat", "1,500,001", "1.20", "1.8000012")),
        Row(("output", "off_peak", "3", "0.60", "0.0000018")),
        Row(("Subtotal", "", "1,500,004", "", "1.800003"), "subtotal"),
        Row(("Energy", "", "", "", "1.800003"), "total"),
    )


def test_models_of_one_name_at_two_providers_have_subtotals_of_their_own() -> None:
    bill = billed(statement(line("energy", 1, "1"), line("energy", 2, "2", provider="azure")))
    headings = [row for row in rows(bill, "Energy") if len(row) == 1]
    assert headings == [("gpt-5.6-luna, azure",), ("gpt-5.6-luna, openai",)]


def test_tiers_and_contexts_have_columns_where_a_line_has_them() -> None:
    labels = {"service_tier": "batch", "price": Decimal("0.6")}
    long = {"context_band": 200_000, "price": Decimal("2.4")}
    longer = {"context_band": 272_000, "price": Decimal("2.4")}
    bill = billed(
        statement(
            line("energy", 1, "1"),
            line("energy", 2, "1", service_tier="standard"),
            line("energy", 4, "1", context_band=32_000),
            line("energy", 8, "1", **labels),
            line("energy", 16, "1", **long),
            line("energy", 32, "1", **longer),
        )
    )
    found = section(bill, "Energy")
    assert [column.title for column in found.columns][:4] == [
        *("Token class", "Tier", "Input tokens", "Period")
    ]
    # Of one price, whatever the context: the bands below the threshold are together.
    assert [row.cells for row in found.rows if row.kind == "line"] == [
        ("output", "batch", "", "flat", "8", "0.60", "1.00"),
        ("output", "standard", "", "flat", "7", "1.20", "3.00"),
        ("output", "standard", "above 200,000", "flat", "48", "2.40", "2.00"),
    ]


def test_units_beyond_tokens_have_a_section_of_their_own_and_are_no_tokens() -> None:
    searches = line(
        *("energy", 12, "0.12"), unit="web_searches", token_class="", price=Decimal("10")
    )
    bill = billed(statement(line("energy", 5, "1"), searches))
    assert rows(bill, "Beyond tokens") == [
        ("web_searches", "gpt-5.6-luna, openai", "flat", "12", "10.00", "0.12")
    ]
    assert rows(bill, "Energy")[-1][-1] == "1.00"
    assert rows(bill, "By region") == [("us-east", "5", "1.00")]
    assert ("Beyond tokens", "0.12") in rows(bill, "Summary")


def test_each_line_that_was_converted_says_rate_day_and_source() -> None:
    bill = billed(
        statement(
            line("energy", 5, "7.2", currency="CNY", price=Decimal("8")),
            line("energy", 5, "0.5", model="other"),
            adjustments=[adjustment(1, "-100", currency="CNY")],
        )
    )
    converted, plain = (row for row in section(bill, "Energy").rows if row.kind == "line")
    assert converted.cells[-2:] == ("CNY 8.00", "1.0116")
    assert converted.detail == "CNY 7.20 × 0.1405 USD (2026-05-29, a bank)"
    assert (plain.cells[-2:], plain.detail) == (("USD 1.20", "0.50"), "")
    (credit,) = section(bill, "Adjustments").rows
    assert credit.detail.endswith(" · CNY -100.00 × 0.1405 USD (2026-05-29, a bank)")
    assert rows(bill, "Rates of exchange") == [
        ("CNY to USD", "2026-05-29", "a bank, 2026-06-01", "0.1405")
    ]


def test_demand_says_when_it_was_and_its_price() -> None:
    bill = billed(statement(demand("0.10")))
    assert rows(bill, "Demand") == [("all regions", "2026-05-06 07:00", "2", "USD 0.05", "0.10")]


def test_an_adjustment_says_what_it_corrects_and_why() -> None:
    bill = billed(
        statement(
            adjustments=[
                adjustment(10, "-0.5"),
                adjustment(3, "1", entry="debit", adjusts="req-2", reason="counted low"),
                adjustment(4, None, event_id=None),
            ]
        )
    )
    found = section(bill, "Adjustments").rows
    assert [(row.cells[0], row.cells[1], row.cells[3:]) for row in found] == [
        (f"{PEAK:%Y-%m-%d %H:%M}", "credit", ("10", "-0.50")),
        (f"{PEAK:%Y-%m-%d %H:%M}", "debit", ("3", "1.00")),
        (f"{PEAK:%Y-%m-%d %H:%M}", "credit", ("4", "unpriced")),
    ]
    assert [row.detail for row in found] == [
        "corrects req-1: stream broke off",
        "corrects req-2: counted low",
        "metered before reasons were kept",
    ]


def test_the_month_before_stands_beside_this_one() -> None:
    found = section(full(), "Compared with the month before")
    assert [column.title for column in found.columns] == [
        *("Model", "Tokens 2026-04", "Tokens 2026-05", "USD 2026-04", "USD 2026-05", "Change")
    ]
    assert [row.cells for row in found.rows] == [
        ("gone, openai", "5", "0", "0.01", "0.00", "-100.0 %"),
        ("gpt-5.6-luna, openai", "2,000,000", "1,500,004", "2.40", "1.80", "-25.0 %"),
        ("hand<made>, openai", "0", "77", "0.00", "0.00", ""),
        ("Adjustments", "", "", "0.00", "0.00", "new"),
        ("Demand", "", "", "0.00", "0.10", "new"),
        ("All charges", "2,000,005", "1,500,081", "2.41", "1.90", "-21.2 %"),
    ]
    assert "not over" not in found.note
    running = billed(full_statement(running=True))
    assert "not over" in section(running, "Compared with the month before").note


def test_the_month_before_is_converted_at_the_rates_of_this_one() -> None:
    before = [line("energy", 1, "100", currency="CNY")]
    bill = billed(statement(line("energy", 1, "100", currency="CNY"), before=before))
    found = section(bill, "Compared with the month before")
    assert found.rows[0].cells[3:] == ("14.05", "14.05", "0.0 %")
    assert "this month's rates" in found.note


def test_a_month_of_nothing_has_no_lines_and_is_due_nothing() -> None:
    bill = billed(statement())
    assert [one.title for one in sections(bill)] == ["Summary", "Meter readings", "Daily load"]
    assert rows(bill, "Summary")[-1] == ("Amount due", "0.00")


def test_what_is_unpriced_has_a_quantity_and_no_amount() -> None:
    assert rows(full(), "Unpriced, in no amount") == [
        ("usage", "hand<made>, openai", "output", "standard", "77")
    ]
