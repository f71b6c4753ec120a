"""The bill as PDF: whole pages in any script, numbers on one line, and the same file each time."""

from __future__ import annotations

import re
from functools import cache

import pytest

pytest.importorskip("typst")
pytest.importorskip("fontTools")
pytest.importorskip("pypdfium2")

import pypdfium2 as pdfium

from services.billing.bill import Bill
from services.billing.bill_sections import sections
from services.billing.fonts import BillFonts
from services.billing.statement_pdf import Pdf, render_pdf
from tests.unit.services.billing.bills import (
    adjustment,
    billed,
    full,
    line,
    statement,
)


@cache
def fonts() -> BillFonts:
    return BillFonts(None)


def render(bill: Bill) -> Pdf:
    return render_pdf(bill, fonts())


def texts(pdf: Pdf) -> list[str]:
    """The text of each page, in the order in which it stands there."""
    document = pdfium.PdfDocument(pdf.content)
    return [
        page.get_textpage().get_text_range().replace("\r\n", "\n").replace("\u00a0", " ")
        for page in document
    ]


def beyond_the_margins(pdf: Pdf) -> list[str]:
    """The characters that are drawn where no text may be; the margins are 15 mm, 42.5 points."""
    found = []
    for page in pdfium.PdfDocument(pdf.content):
        width, _ = page.get_size()
        text = page.get_textpage()
        for number in range(text.count_chars()):
            left, _, right, _ = text.get_charbox(number)
            if right > width - 42 or left < 42:
                found.append(text.get_text_range(number, 1))
    return found


def test_the_same_bill_is_the_same_file() -> None:
    first = render(full())
    assert first.content.startswith(b"%PDF-") and first.content.rstrip().endswith(b"%%EOF")
    assert render(full()) == first
    assert render(full(running=True)).content != first.content


def test_it_has_the_sections_of_the_page_and_all_their_numbers() -> None:
    text = "\n".join(texts(render(full())))
    for section in sections(full()):
        assert section.title in text
        for row in section.rows:
            for column, shown in zip(section.columns, row.cells, strict=False):
                if column.number:
                    assert shown in text, (section.title, row)


def test_each_page_says_which_of_how_many_it_is() -> None:
    lines = [line("energy", 1, "1", model=f"model-{number:03}") for number in range(120)]
    pages = texts(render(billed(statement(*lines))))
    assert len(pages) > 3
    for number, text in enumerate(pages, 1):
        assert f"page {number} of {len(pages)}" in text


@pytest.mark.parametrize(
    "name",
    [
        *("北京智谱华章科技有限公司", "株式会社カタカナ", "주식회사 한국", "臺灣積體電路製造"),
        *("Ünïcødé s.r.o.", "Ελλάδα", "ООО Пример", "ไทย", "हिन्दी", "ქართული", "Հայերեն"),
    ],
)
def test_a_name_in_any_script_is_drawn_with_an_embedded_font(name: str) -> None:
    pdf = render(full(name))
    assert pdf.missing == ()
    assert name in texts(pdf)[0]
    # Of PDF/A: a reader needs no font of its own.
    assert b"pdfaid" in pdf.content


def test_what_no_font_has_is_told_and_written_as_its_number() -> None:
    pdf = render(full("ᚠ-tenant"))
    assert pdf.missing == ("ᚠ",)
    assert "U+16A0-tenant" in texts(pdf)[0]


@pytest.mark.parametrize(
    "name", ["#panic()", "$x$ *b* _i_ @ref <label> \\ `raw`", "a\x1b[2J\u202eb\nc", "]", '"']
)
def test_names_are_text_not_markup(name: str) -> None:
    shown = name.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e").replace("\n", "\\x0a")
    assert shown in texts(render(full(name)))[0]


@pytest.mark.parametrize("letter", ["W", "模", "한", "ع", "😀"])
def test_the_longest_names_stay_within_their_columns(letter: str) -> None:
    name = letter * 128
    given = statement(
        line("energy", 10**13, "123456789.123456789012345", model=name, provider=name),
        line("unpriced", 10**13, None, model=name, region=name, provider=name),
        adjustments=[adjustment(1, "-1", model=name, reason=name * 4, adjusts=name)],
        tenant=name,
    )
    assert beyond_the_margins(render(billed(given))) == []


def test_a_number_stands_on_one_line_whatever_its_length() -> None:
    amount, tokens = f"{10**60:,}.123456789012345", f"{2**127:,}"
    bill = billed(statement(line("energy", 2**127, amount.replace(",", ""))))
    pdf = render(bill)
    assert beyond_the_margins(pdf) == []
    lines = [one for text in texts(pdf) for one in text.split("\n")]
    assert [one for one in lines if tokens in one and amount in one]
    assert not [one for one in lines if re.search(r"\d,\d{0,2}$", one.strip())]


def test_copied_text_has_no_invisible_breaks_in_it() -> None:
    identity = "resp_0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f6071"
    (page,) = texts(render(billed(statement(adjustments=[adjustment(1, "-1", adjusts=identity)]))))
    assert identity in page
    assert "\u200b" not in page
