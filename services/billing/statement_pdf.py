"""A statement as PDF, A4; needs the extra `bills` (reportlab)."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any, Final
from xml.sax.saxutils import escape

from reportlab.graphics.shapes import Drawing, Rect, String
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from services.billing.statement import (
    Statement,
    energy_lines,
    grouped,
    money,
    unpriced_lines,
)

INK: Final = HexColor("#1b2733")
ACCENT: Final = HexColor("#0b5d66")
RULE: Final = HexColor("#c5d2d8")
#: Between the margins, less the 6 points that a frame keeps free on either side.
WIDTH: Final = A4[0] - 30 * mm - 12
CHART_HEIGHT: Final = 28 * mm
#: Most characters of one word in a cell; longer ones are broken, since no line could hold them.
WORD_LENGTH: Final = 24

TEXT: Final = ParagraphStyle("text", fontName="Helvetica", fontSize=8, leading=10, textColor=INK)
NUMBER: Final = ParagraphStyle("number", TEXT, alignment=2)
HEAD: Final = ParagraphStyle(
    "head",
    TEXT,
    fontName="Helvetica-Bold",
    fontSize=10,
    leading=14,
    textColor=ACCENT,
    keepWithNext=1,
)
TITLE: Final = ParagraphStyle("title", HEAD, fontSize=18, leading=24)
DUE: Final = ParagraphStyle("due", TITLE, alignment=2, fontSize=16)


def render_pdf(statement: Statement) -> bytes:
    """Render the bill; the same statement gives the same bytes."""
    target = io.BytesIO()
    title = f"Statement {statement.tenant} {statement.period_start:%Y-%m}"
    pages = SimpleDocTemplate(
        target,
        pagesize=A4,
        leftMargin=15 * mm,
        rightMargin=15 * mm,
        topMargin=14 * mm,
        bottomMargin=16 * mm,
        title=title,
        author="Wattoken",
        # No time of writing, no random id: a bill printed twice is one file.
        invariant=1,
    )

    def footer(canvas: Canvas, document: Any) -> None:
        canvas.setFont("Helvetica", 7)
        canvas.drawString(15 * mm, 9 * mm, title[:120])
        canvas.drawRightString(A4[0] - 15 * mm, 9 * mm, f"page {document.page}")

    pages.build(list(_story(statement)), onFirstPage=footer, onLaterPages=footer)
    return target.getvalue()


def _story(statement: Statement) -> Iterable[Any]:
    yield _masthead(statement)
    yield Spacer(1, 2 * mm)
    if statement.running:
        yield Paragraph("The period is not over: this statement is preliminary.", TEXT)
    if statement.unpriced_tokens:
        text = f"{statement.unpriced_tokens:,} tokens have no price and are not in the total."
        yield Paragraph(text, TEXT)
    yield Spacer(1, 2 * mm)
    yield from _section(
        "Meter readings",
        ("Register, tokens", "Start of period", "End of period", "Used"),
        [
            (one.register, f"{one.start_tokens:,}", f"{one.end_tokens:,}", f"{one.used_tokens:,}")
            for one in statement.readings
        ],
        (3, 2, 2, 2),
        text_columns=1,
    )
    yield Paragraph("Daily load", HEAD)
    yield _chart(statement)
    yield Spacer(1, 2 * mm)
    yield from _section(
        "Summary",
        ("Charge", "USD"),
        [
            ("Energy", money(statement.subtotal_usd("energy"))),
            ("Demand", money(statement.subtotal_usd("demand"))),
            ("Adjustments", money(statement.subtotal_usd("adjustment"))),
            ("Total", money(statement.total_usd)),
        ],
        (5, 4),
        text_columns=1,
    )
    yield from _lines(statement)


def _lines(statement: Statement) -> Iterable[Any]:
    periods = grouped(statement.of("energy"), lambda line: (line.tou_period,))
    yield from _section(
        "By time of use",
        ("Period", "Tokens", "USD"),
        [(one.labels[0], f"{one.tokens:,}", money(one.amount_usd)) for one in periods],
        (3, 3, 3),
        text_columns=1,
    )
    yield from _section(
        "Energy",
        ("Provider", "Model", "Token class", "Period", "Tokens", "USD / M", "USD"),
        [
            (*one.labels[:4], f"{one.tokens:,}", money(one.labels[4]), money(one.amount_usd))
            for one in energy_lines(statement)
        ],
        (4, 4, 3.8, 2.2, 4, 2.4, 4),
        text_columns=4,
    )
    yield from _section(
        "Demand: tokens of the highest hour / 3600, in whole tokens/s",
        ("Measured over", "Highest hour (UTC)", "Tokens/s", "USD a token/s", "USD"),
        [
            (
                "all regions" if line.region == "*" else line.region,
                f"{line.peak_hour:%Y-%m-%d %H:%M}",
                f"{line.demand_tokens_per_second or 0:,}",
                money(line.usd_per_token_per_second),
                money(line.amount_usd),
            )
            for line in statement.of("demand")
        ],
        (3, 3, 3, 3, 3),
        text_columns=2,
    )
    yield from _section(
        "Adjustments",
        ("Entry", "Model", "Token class", "Period", "Tokens", "USD / M", "USD"),
        [
            (
                *(line.entry, f"{line.provider} {line.model}", line.token_class),
                *(line.tou_period, f"{line.tokens:,}"),
                *(money(line.usd_per_million_tokens), money(line.amount_usd)),
            )
            for line in statement.of("adjustment")
        ],
        (2, 5, 3.8, 2.2, 4, 2.4, 4),
        text_columns=4,
    )
    yield from _section(
        "Unpriced, not in the total",
        ("Entry", "Provider", "Model", "Token class", "Tokens"),
        [(*one.labels, f"{one.tokens:,}") for one in unpriced_lines(statement)],
        (2, 4, 5, 3, 5),
        text_columns=4,
    )


def _masthead(statement: Statement) -> Table:
    who = (
        f"Statement of account<br/><b>{escape(_broken(statement.tenant))}</b><br/>"
        f"{statement.period_start} up to, but not, {statement.period_end} (UTC)"
    )
    due = [
        Paragraph("Amount due", NUMBER),
        Paragraph(f"USD {statement.due_usd:,.2f}", DUE),
        Paragraph(f"exactly {money(statement.total_usd)}", NUMBER),
    ]
    table = Table(
        [[[Paragraph("Wattoken", TITLE), Paragraph(who, TEXT)], due]],
        colWidths=[WIDTH * 0.55, WIDTH * 0.45],
    )
    table.setStyle(TableStyle([("LINEBELOW", (0, 0), (-1, -1), 2, ACCENT)]))
    return table


def _section(
    title: str,
    heads: Sequence[str],
    rows: Sequence[Sequence[object]],
    widths: Sequence[float],
    *,
    text_columns: int,
) -> Iterable[Any]:
    """A headed table; nothing if it has no rows."""
    if not rows:
        return

    def cell(place: int, value: object, *, bold: bool = False) -> Paragraph:
        text = escape(_broken(str(value)))
        style = TEXT if place < text_columns else NUMBER
        return Paragraph(f"<b>{text}</b>" if bold else text, style)

    unit = WIDTH / sum(widths)
    table = Table(
        [
            [cell(place, head, bold=True) for place, head in enumerate(heads)],
            *([cell(place, value) for place, value in enumerate(row)] for row in rows),
        ],
        colWidths=[unit * width for width in widths],
        repeatRows=1,
    )
    table.setStyle(
        TableStyle(
            [
                ("LINEBELOW", (0, 0), (-1, 0), 1, ACCENT),
                ("LINEBELOW", (0, 1), (-1, -1), 0.3, RULE),
                ("TOPPADDING", (0, 0), (-1, -1), 1.5),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ]
        )
    )
    yield Paragraph(escape(title), HEAD)
    yield table
    yield Spacer(1, 2 * mm)


def _chart(statement: Statement) -> Drawing:
    drawing = Drawing(WIDTH, CHART_HEIGHT + 4 * mm)
    highest = max((tokens for _, tokens in statement.daily_tokens), default=0)
    step = WIDTH / max(len(statement.daily_tokens), 1)
    for place, (day, tokens) in enumerate(statement.daily_tokens):
        height = CHART_HEIGHT * tokens / highest if highest else 0
        left = place * step
        drawing.add(
            Rect(
                *(left + step * 0.12, 4 * mm, step * 0.76, height),
                fillColor=ACCENT,
                strokeColor=None,
            )
        )
        drawing.add(
            String(left + step / 2, 1, str(day.day), fontSize=6, textAnchor="middle", fillColor=INK)
        )
    return drawing


def _broken(text: str) -> str:
    """Give long words places to break, so that a name of 256 characters still fits its cell."""
    return " ".join(
        " ".join(word[at : at + WORD_LENGTH] for at in range(0, len(word), WORD_LENGTH))
        for word in text.split()
    )
