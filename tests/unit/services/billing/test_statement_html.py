"""The bill as a page: every figure is on it, and nothing from outside becomes markup."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from services.billing.bill_sections import sections
from services.billing.statement_html import render_html
from services.billing.terms import StatementSettings
from tests.unit.services.billing.bills import billed, full, full_statement, line, statement

VOID = {"meta", "br"}


class Nesting(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(page: str) -> Nesting:
    parser = Nesting()
    parser.feed(page)
    assert parser.open == [], "every element is closed"
    return parser


def test_every_text_of_every_section_is_on_the_page() -> None:
    text = read(render_html(full())).text
    for section in sections(full()):
        for shown in (section.title, *(column.title for column in section.columns)):
            assert shown in text, shown
        for row in section.rows:
            assert {one for one in row.cells if one} <= set(text)
            assert row.detail in (*text, "")
    assert "USD 1.90" in text
    assert not [one for one in text if "preliminary" in one]


def test_a_running_period_says_so_and_is_no_invoice() -> None:
    page = render_html(full(running=True))
    assert "preliminary" in page and "Number" not in page and "Invoice" not in page


def test_number_dates_parties_taxes_and_payment_are_on_an_invoice() -> None:
    settings = StatementSettings.model_validate(
        {
            "version": "1",
            "issuer": {"name": "Example GmbH", "lines": ["Street 1"], "tax_id": "DE1"},
            "payment": ["IBAN DE00"],
            "taxes": [{"name": "VAT", "percent": "19"}],
            "tenants": {"acme": {"name": "北京智谱", "code": "7", "lines": ["Beijing"]}},
        }
    )
    text = read(render_html(billed(full_statement(), settings))).text
    for shown in (
        *("Invoice", "Example GmbH", "Street 1", "DE1", "北京智谱", "Beijing", "acme"),
        *("202605-7", "2026-06-03", "2026-07-03", "VAT 19 %", "0.36", "USD 2.26", "IBAN DE00"),
    ):
        assert shown in text, shown


def test_a_credit_is_no_negative_amount_due_and_asks_for_no_payment() -> None:
    settings = StatementSettings.model_validate(
        {"version": "1", "issuer": {"name": "X"}, "payment": ["IBAN DE00"]}
    )
    given = statement(line("adjustment", 1, "-5", entry="credit"))
    text = read(render_html(billed(given, settings))).text
    assert "Credit note" in text and "Credit balance" in text and "USD 5.00" in text
    assert "IBAN DE00" not in text and "Due" not in text and "Amount due" not in text


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>&", "a'b\"c onload=x", "m\x1b[2J\u202e\nx"]
)
def test_names_are_text_not_markup_and_hide_nothing(name: str) -> None:
    page = render_html(full(name))
    parser = read(page)
    assert "script" not in parser.seen and "made" not in parser.seen
    shown = name.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e").replace("\n", "\\x0a")
    assert shown in parser.text
    assert not {"\x1b", "\u202e"} & set(page)


def test_each_day_is_a_bar_as_high_as_its_load() -> None:
    page = render_html(full())
    assert page.count("<rect") == 31
    assert "height='120.0'" in page and "2026-05-31: 3,100 tokens" in page


def test_numbers_too_long_for_a_line_are_smaller_and_not_broken() -> None:
    assert "style='font-size" not in render_html(full())
    page = render_html(billed(statement(line("energy", 2**127, f"{10**60}.5"))))
    assert "style='font-size" in page
    assert f"{10**60:,}.50" in page
