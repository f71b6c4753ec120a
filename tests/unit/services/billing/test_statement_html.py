"""The bill as a page: every figure is on it, and nothing from outside becomes markup."""

from __future__ import annotations

from html.parser import HTMLParser

from services.billing.statement_html import render_html
from tests.unit.services.billing.bills import bill, full, line

VOID = {"meta"}


class Nesting(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)
        if tag not in VOID and tag != "br":
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


def test_every_figure_is_on_the_page() -> None:
    text = " ".join(read(render_html(full())).text)
    for figure in (
        *("USD 1.90", "1.899991", "1.8000012", "0.0000018", "-0.000012", "1,500,001", "0.10"),
        *("2026-05-06 07:00", "77 tokens have no price", "150", "off_peak", "all regions"),
    ):
        assert figure in text, figure
    assert "preliminary" not in text


def test_a_running_period_says_so() -> None:
    assert "preliminary" in render_html(full(running=True))


def test_names_are_text_not_markup() -> None:
    parser = read(render_html(full("<script>alert(1)</script>&")))
    assert "script" not in parser.seen
    assert "made" not in parser.seen, "a model named hand<made>"
    assert "<script>alert(1)</script>&" in "".join(parser.text)


def test_sections_without_lines_are_left_out() -> None:
    page = render_html(bill(line("energy", 1, "1")))
    assert "Adjustments</h2>" not in page and "Unpriced</h2>" not in page
    assert "Demand</h2>" not in page


def test_each_day_is_a_bar_as_high_as_its_load() -> None:
    page = render_html(full())
    assert page.count("<rect") == 31
    assert "height='120.0'" in page and "2026-05-31: 3,100 tokens" in page
