"""The bill's page in a real Chromium: on a phone nothing runs over, and no number is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.billing.bill import Bill
from services.billing.statement_html import render_html
from services.billing.terms import StatementSettings
from tests.unit.services.billing.bills import (
    adjustment,
    billed,
    demand,
    full,
    line,
    statement,
)
from tools.pictures.browser import Browser

PHONE, DESK = (390, 844), (1200, 900)
NAME = "W" * 128
SETTINGS = StatementSettings.model_validate(
    {
        "version": "test",
        "issuer": {"name": NAME, "lines": [NAME], "tax_id": NAME},
        "taxes": [{"name": NAME, "percent": "19"}],
        "tenants": {NAME: {"name": "北京" * 64, "lines": [NAME]}},
    }
)
#: The numbers of a page that are on more than one line, or that their box cuts.
BROKEN = """
[...document.querySelectorAll('td.n > span, .due strong')].filter(one => {
  const range = document.createRange(); range.selectNodeContents(one);
  const lines = new Set([...range.getClientRects()].map(box => Math.round(box.top)));
  const box = getComputedStyle(one).display !== 'inline';
  return lines.size > 1 || box && one.scrollWidth > one.clientWidth + 1;
}).map(one => one.textContent)
"""
#: What reaches beyond the window, whatever holds it.
OVER = """
[...document.querySelectorAll('body *')].filter(
  one => one.getBoundingClientRect().right > innerWidth + 0.5
).map(one => one.tagName + ': ' + one.textContent.slice(0, 40))
"""


def longest() -> Bill:
    labels = {"model": NAME, "provider": NAME, "region": NAME, "tou_period": NAME}
    return billed(
        statement(
            line("energy", 10**15, "1234567890.123456789012345", service_tier="batch", **labels),
            line("energy", 10**15, "9234567.123456789012345", currency="CNY", **labels),
            line("energy", 10**12, "5.5", unit="audio_milliseconds", token_class="", **labels),
            line("unpriced", 10**15, None, **labels),
            demand("0.10"),
            tenant=NAME,
            adjustments=[adjustment(10**9, "-0.5", adjusts=NAME, reason=NAME * 4, model=NAME)],
            before=[line("energy", 10**15, "12.5", **labels)],
        ),
        SETTINGS,
    )


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("bill", [full(), longest()], ids=["short", "longest"])
def test_nothing_runs_over_and_no_number_is_broken(
    browser: Browser, tmp_path: Path, bill: Bill, size: tuple[int, int]
) -> None:
    path = tmp_path / "bill.html"
    path.write_text(render_html(bill), encoding="utf-8")
    page = browser.new_page()
    page.look(*size)
    page.open(path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert page.evaluate(OVER) == []
    assert page.evaluate(BROKEN) == []
    page.close()


def test_on_a_phone_each_number_stands_beside_its_heads_name(
    browser: Browser, tmp_path: Path
) -> None:
    path = tmp_path / "bill.html"
    path.write_text(render_html(full()), encoding="utf-8")
    page = browser.new_page()
    page.look(*PHONE)
    page.open(path.as_uri())
    heads = page.evaluate(
        "[...document.querySelectorAll('td.n')].filter(one => one.textContent)"
        ".map(one => getComputedStyle(one, '::before').content)"
    )
    assert heads and all(len(one) > 2 for one in heads)
    page.close()
