"""A statement as one HTML page that prints on paper; no scripts, nothing fetched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from services.billing.statement import (
    Group,
    Statement,
    energy_lines,
    grouped,
    money,
    unpriced_lines,
)

CHART_WIDTH, CHART_HEIGHT = 700, 120

STYLE = """
@page { size: A4; margin: 14mm }
body { font: 13px/1.45 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; color: #1b2733;
  max-width: 780px; margin: 24px auto; padding: 0 16px; background: #fff }
header { display: flex; justify-content: space-between; border-bottom: 4px solid #0b5d66;
  padding-bottom: 12px }
h1 { font-size: 24px; margin: 0; color: #0b5d66 }
h2 { font-size: 15px; margin: 22px 0 6px; color: #0b5d66 }
.due { background: #e8f3f3; border: 1px solid #0b5d66; padding: 10px 16px; text-align: right }
.due strong { display: block; font-size: 24px; font-variant-numeric: tabular-nums }
table { border-collapse: collapse; width: 100%; page-break-inside: auto }
th, td { padding: 3px 8px; text-align: left; border-bottom: 1px solid #dbe3e8;
  overflow-wrap: anywhere }
th { font-weight: 600; border-bottom: 2px solid #8aa3ad }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
tr.sum td { font-weight: 600; border-top: 2px solid #8aa3ad; border-bottom: 0 }
tr { page-break-inside: avoid }
.note { color: #55656f; font-size: 12px }
.warn { border-left: 4px solid #b35c00; padding: 4px 10px; background: #fff4e5 }
svg { width: 100%; height: auto }
svg rect { fill: #0b7d88 }
svg text { font-size: 10px; fill: #55656f }
"""


def render_html(statement: Statement) -> str:
    """Render the page; every text from the outside is escaped."""
    month = f"{statement.period_start:%B %Y}"
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>Statement {escape(statement.tenant)} {statement.period_start:%Y-%m}</title>",
        f"<style>{STYLE}</style></head><body><header><div><h1>Wattoken</h1>",
        f"<p>Statement of account<br><b>{escape(statement.tenant)}</b><br>{month}, ",
        f"{statement.period_start} up to, but not, {statement.period_end} (UTC)</p></div>",
        f"<div class='due'>Amount due<strong>USD {statement.due_usd:,.2f}</strong>",
        f"exactly {money(statement.total_usd)}</div></header>",
        *_warnings(statement),
        *_readings(statement),
        *_chart(statement),
        *_summary(statement),
        *_periods(statement),
        *_energy(statement),
        *_demand(statement),
        *_adjustments(statement),
        *_unpriced(statement),
        "<p class='note'>Prices are USD per million tokens. Tokens read from or written to a",
        " cache are no part of uncached input, reasoning tokens no part of output: each token is",
        " billed once. Hours, days and months are UTC; a time-of-use period begins at its hour in",
        " the zone of its calendar. Amounts are exact; only the amount due is rounded.</p>",
        "</body></html>",
    ]
    return "".join(parts)


def _warnings(statement: Statement) -> Iterable[str]:
    if statement.running:
        yield "<p class='warn'>The period is not over: this statement is preliminary.</p>"
    if statement.unpriced_tokens:
        yield (
            f"<p class='warn'>{statement.unpriced_tokens:,} tokens have no price and are not in"
            " the total; they are listed below as unpriced.</p>"
        )


def _readings(statement: Statement) -> Iterable[str]:
    yield "<h2>Meter readings</h2>"
    yield from _table(
        ("Register, tokens", f"{statement.period_start} 00:00", "End of period", "Used"),
        [
            (one.register, f"{one.start_tokens:,}", f"{one.end_tokens:,}", f"{one.used_tokens:,}")
            for one in statement.readings
        ],
        text_columns=1,
    )


def _chart(statement: Statement) -> Iterable[str]:
    highest = max((tokens for _, tokens in statement.daily_tokens), default=0)
    yield f"<h2>Daily load</h2><svg viewBox='0 0 {CHART_WIDTH} {CHART_HEIGHT + 16}' role='img'"
    yield f" aria-label='Tokens by day, highest {highest:,}'>"
    step = CHART_WIDTH / max(len(statement.daily_tokens), 1)
    for place, (day, tokens) in enumerate(statement.daily_tokens):
        height = CHART_HEIGHT * tokens / highest if highest else 0
        left = place * step
        yield (
            f"<rect x='{left + step * 0.12:.1f}' y='{CHART_HEIGHT - height:.1f}'"
            f" width='{step * 0.76:.1f}' height='{height:.1f}'>"
            f"<title>{day}: {tokens:,} tokens</title></rect>"
        )
        yield (
            f"<text x='{left + step / 2:.1f}' y='{CHART_HEIGHT + 12}' text-anchor='middle'>"
            f"{day.day}</text>"
        )
    yield f"</svg><p class='note'>Highest day: {highest:,} tokens.</p>"


def _summary(statement: Statement) -> Iterable[str]:
    yield "<h2>Summary</h2>"
    rows = [
        ("Energy", money(statement.subtotal_usd("energy"))),
        ("Demand", money(statement.subtotal_usd("demand"))),
        ("Adjustments", money(statement.subtotal_usd("adjustment"))),
        ("Total", money(statement.total_usd)),
    ]
    yield from _table(("Charge", "USD"), rows, text_columns=1, sum_row=True)


def _periods(statement: Statement) -> Iterable[str]:
    yield "<h2>By time of use</h2>"
    yield from _groups(
        ("Period",), grouped(statement.of("energy"), lambda line: (line.tou_period,))
    )
    yield "<h2>By region</h2>"
    yield from _groups(("Region",), grouped(statement.of("energy"), lambda line: (line.region,)))


def _groups(names: tuple[str, ...], groups: list[Group]) -> Iterable[str]:
    rows = [(*one.labels, f"{one.tokens:,}", money(one.amount_usd)) for one in groups]
    return _table((*names, "Tokens", "USD"), rows, text_columns=len(names))


def _energy(statement: Statement) -> Iterable[str]:
    yield "<h2>Energy</h2>"
    rows = [
        (*one.labels[:4], f"{one.tokens:,}", money(one.labels[4]), money(one.amount_usd))
        for one in energy_lines(statement)
    ]
    rows.append(("Energy", *[""] * 5, money(statement.subtotal_usd("energy"))))
    heads = ("Provider", "Model", "Token class", "Period", "Tokens", "USD / M", "USD")
    yield from _table(heads, rows, text_columns=4, sum_row=True)


def _demand(statement: Statement) -> Iterable[str]:
    lines = statement.of("demand")
    if not lines:
        return
    yield "<h2>Demand</h2>"
    rows = [
        (
            "all regions" if line.region == "*" else line.region,
            f"{line.peak_hour:%Y-%m-%d %H:%M}",
            f"{line.demand_tokens_per_second or 0:,}",
            money(line.usd_per_token_per_second),
            money(line.amount_usd),
        )
        for line in lines
    ]
    heads = ("Measured over", "Highest hour", "Tokens/s", "USD a token/s", "USD")
    yield from _table(heads, rows, text_columns=2)
    yield "<p class='note'>The tokens of the highest hour ÷ 3600, in whole tokens/s.</p>"


def _adjustments(statement: Statement) -> Iterable[str]:
    lines = statement.of("adjustment")
    if not lines:
        return
    yield "<h2>Adjustments</h2>"
    rows = [
        (
            *(line.entry, line.region, line.provider, line.model, line.token_class),
            *(line.tou_period, f"{line.tokens:,}", money(line.usd_per_million_tokens)),
            money(line.amount_usd),
        )
        for line in lines
    ]
    heads = ("Entry", "Region", "Provider", "Model", "Token class", "Period")
    yield from _table((*heads, "Tokens", "USD / M", "USD"), rows, text_columns=6)


def _unpriced(statement: Statement) -> Iterable[str]:
    groups = unpriced_lines(statement)
    if groups:
        yield "<h2>Unpriced</h2>"
        yield from _groups(("Entry", "Provider", "Model", "Token class"), groups)


def _table(
    heads: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    text_columns: int,
    sum_row: bool = False,
) -> Iterable[str]:
    """Yield a table whose columns after the first ``text_columns`` are numbers."""
    found = list(rows)

    def cell(tag: str, place: int, value: object) -> str:
        kind = " class='n'" if place >= text_columns else ""
        return f"<{tag}{kind}>{escape(str(value))}</{tag}>"

    yield "<table><thead><tr>"
    yield "".join(cell("th", place, head) for place, head in enumerate(heads))
    yield "</tr></thead><tbody>"
    for number, row in enumerate(found):
        yield "<tr class='sum'>" if sum_row and number == len(found) - 1 else "<tr>"
        yield "".join(cell("td", place, value) for place, value in enumerate(row))
        yield "</tr>"
    yield "</tbody></table>"
