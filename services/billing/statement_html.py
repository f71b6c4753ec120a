"""PURE. A bill as one HTML page that prints on paper and reads on a phone; nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Final

from services.billing.bill import Bill
from services.billing.bill_sections import NOTE, sections
from services.billing.masthead import Masthead, masthead
from services.billing.sections import Row, Section
from services.platform.printable import shown

CHART_WIDTH, CHART_HEIGHT = 700, 120
#: Characters of numbers that a row, and the box with the amount due, have room for at full size.
ROW_LENGTH, DUE_LENGTH = 72, 24
ROW_PX, DUE_PX = 13, 24

STYLE: Final = """
@page { size: A4; margin: 14mm }
* { box-sizing: border-box }
body { font: 13px/1.45 system-ui, "Segoe UI", Helvetica, Arial, "Noto Sans", "Noto Sans CJK SC",
  "PingFang SC", "Microsoft YaHei", sans-serif; color: #1b2733;
  max-width: 840px; margin: 24px auto; padding: 0 16px; background: #fff;
  -webkit-text-size-adjust: 100% }
header { display: grid; grid-template-columns: 1fr 1fr; gap: 12px 32px;
  border-bottom: 4px solid #0b5d66; padding-bottom: 14px }
header > * { min-width: 0; overflow-wrap: anywhere }
h1 { font-size: 24px; margin: 0; color: #0b5d66 }
h2 { font-size: 15px; margin: 22px 0 6px; color: #0b5d66; break-after: avoid }
address { font-style: normal }
address b { display: block }
dl { display: grid; grid-template-columns: auto 1fr; gap: 0 12px; margin: 0 }
dt { color: #55656f }
dd { margin: 0; overflow-wrap: anywhere }
.due { background: #e8f3f3; border: 1px solid #0b5d66; padding: 10px 16px; text-align: right;
  align-self: start }
.due strong { display: block; font-size: 24px; font-variant-numeric: tabular-nums;
  overflow-wrap: normal; overflow-x: auto; white-space: nowrap }
table { border-collapse: collapse; width: 100% }
th, td { padding: 3px 8px; text-align: left; vertical-align: top; border-bottom: 1px solid #dbe3e8;
  overflow-wrap: anywhere }
th { font-weight: 600; border-bottom: 2px solid #8aa3ad }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap;
  overflow-wrap: normal }
th.n { white-space: normal }
th:not(.n) { min-width: 7em }
tr { break-inside: avoid }
.heading td { font-weight: 600; border-bottom: 0; padding-top: 10px; break-after: avoid }
.subtotal td { font-weight: 600 }
.total td { font-weight: 600; border-top: 2px solid #8aa3ad; border-bottom: 0 }
.detailed td { border-bottom: 0 }
.detail td { color: #55656f; font-size: 11px; padding-top: 0 }
.note, footer { color: #55656f; font-size: 12px }
.warn { border-left: 4px solid #b35c00; padding: 4px 10px; background: #fff4e5 }
.wide { overflow-x: auto }
svg { width: 100%; height: auto; display: block }
svg rect { fill: #0b7d88 }
svg text { font-size: 10px; fill: #55656f }
@media screen and (max-width: 640px) {
  body { margin: 12px auto; padding: 0 12px; font-size: 15px }
  header { grid-template-columns: 1fr }
  .due { text-align: left }
  table, tbody, tr, td { display: block; width: 100% }
  table { font-size: inherit !important }
  thead { display: none }
  tr { border-bottom: 1px solid #dbe3e8; padding: 6px 0 }
  tr.detailed, tr.heading { border-bottom: 0 }
  td, .total td { border: 0; padding: 1px 0; display: flex; flex-wrap: wrap; gap: 0 12px;
    justify-content: space-between }
  td[data-head]::before { content: attr(data-head); color: #55656f; font-weight: 400;
    white-space: normal }
  td:empty { display: none }
  td > span { max-width: 100%; overflow-x: auto; margin-left: auto; text-align: right }
  td:first-child > span, .detail td > span, .heading td > span { margin-left: 0; text-align: left }
  td:first-child:not(.n)::before { display: none }
  td:first-child { font-weight: 600 }
  .detail td { font-weight: 400 }
  svg text { font-size: 22px }
  svg text.odd { display: none }
}
"""


def render_html(bill: Bill) -> str:
    """Render the page; every text from outside is shown escaped, as text."""
    head = masthead(bill)
    title = f"{head.title} {bill.statement.tenant} {bill.statement.period_start:%Y-%m}"
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>{_text(title)}</title><style>{STYLE}</style></head><body>",
        *_header(head),
        *(f"<p class='warn'>{_text(one)}</p>" for one in head.warnings),
    ]
    for section in sections(bill):
        parts += _section(section)
    if head.payment:
        lines = "<br>".join(map(_text, head.payment))
        parts.append(f"<h2>Payment</h2><p>{lines}</p>")
    parts.append(f"<footer><p>{NOTE}</p></footer></body></html>")
    return "".join(parts)


def _text(value: str) -> str:
    return escape(shown(value))


def _header(head: Masthead) -> Iterable[str]:
    yield f"<header><div><h1>{_text(head.title)}</h1>{_party(head.issuer)}</div>"
    size = _size(DUE_PX, DUE_LENGTH, len(head.due))
    yield f"<div class='due'>{head.due_label}<strong{size}>{_text(head.due)}</strong></div>"
    yield f"{_party(head.customer)}<dl>"
    yield "".join(f"<dt>{_text(name)}</dt><dd>{_text(text)}</dd>" for name, text in head.facts)
    yield "</dl></header>"


def _party(lines: tuple[str, ...]) -> str:
    if not lines:
        return ""
    name, *rest = (f"<bdi>{_text(line)}</bdi>" for line in lines)
    return f"<address><b>{name}</b>{'<br>'.join(rest)}</address>"


def _section(section: Section) -> Iterable[str]:
    yield f"<section><h2>{_text(section.title)}</h2>"
    if section.daily_tokens:
        yield from _chart(section.daily_tokens)
    if section.rows:
        yield f"<div class='wide'><table{_size(ROW_PX, ROW_LENGTH, _length(section))}><thead><tr>"
        for column in section.columns:
            yield f"<th{' class=n' if column.number else ''}>{_text(column.title)}</th>"
        yield "</tr></thead><tbody>"
        for row in section.rows:
            yield from _row(section, row)
        yield "</tbody></table></div>"
    if section.note:
        yield f"<p class='note'>{_text(section.note)}</p>"
    yield "</section>"


def _length(section: Section) -> int:
    """Most characters that the numbers of a row have, taken column by column."""
    return sum(
        max((len(row.cells[place]) for row in section.rows if row.kind != "heading"), default=0)
        for place, column in enumerate(section.columns)
        if column.number
    )


def _size(px: int, room: int, length: int) -> str:
    """Make numbers smaller where they are too long for one line."""
    return "" if length <= room else f" style='font-size:{max(px * room / length, 4):.1f}px'"


def _row(section: Section, row: Row) -> Iterable[str]:
    span = f" colspan={len(section.columns)}"
    names = [*([] if row.kind == "line" else [row.kind]), *(["detailed"] if row.detail else [])]
    yield f"<tr class='{' '.join(names)}'>" if names else "<tr>"
    if row.kind == "heading":
        yield f"<td{span}><span>{_text(row.cells[0])}</span></td>"
    else:
        for column, text in zip(section.columns, row.cells, strict=True):
            kind = " class=n" if column.number else ""
            inner = f"<span>{_text(text)}</span>" if text else ""
            yield f"<td{kind} data-head='{_text(column.title)}'>{inner}</td>"
    yield "</tr>"
    if row.detail:
        yield f"<tr class='detail'><td{span}><span>{_text(row.detail)}</span></td></tr>"


def _chart(days: tuple[tuple[str, int], ...]) -> Iterable[str]:
    highest = max(tokens for _, tokens in days)
    yield f"<svg viewBox='0 0 {CHART_WIDTH} {CHART_HEIGHT + 20}' role='img'"
    yield f" aria-label='Tokens by day, highest {highest:,}'>"
    step = CHART_WIDTH / len(days)
    for place, (day, tokens) in enumerate(days):
        # Whole thousandths: floats of large numbers are good enough for a picture, not for text.
        height = CHART_HEIGHT * (1000 * tokens // highest) / 1000 if highest else 0
        left = place * step
        yield (
            f"<rect x='{left + step * 0.12:.1f}' y='{CHART_HEIGHT - height:.1f}'"
            f" width='{step * 0.76:.1f}' height='{height:.1f}'>"
            f"<title>{day}: {tokens:,} tokens</title></rect>"
        )
        odd = "" if place % 5 == 0 else " class='odd'"
        yield (
            f"<text x='{left + step / 2:.1f}' y='{CHART_HEIGHT + 16}' text-anchor='middle'{odd}>"
            f"{int(day[-2:])}</text>"
        )
    yield "</svg>"
