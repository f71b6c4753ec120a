"""A plan comparison on the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from services.billing.electricity_section import GRAMS_PER_KG, IGNORED, span
from services.billing.exact import written
from services.billing.plans.comparison import Comparison, Row, rated_alike
from services.platform.terminal import cell

#: So many plans of a kind are shown unless all are asked for: hours alone are 23.
OF_A_KIND_MAX: Final = 4
IN_BRACKETS: Final = "In brackets: not as many tokens have a rating as have one now."
_SHARE: Final = Context(prec=28, rounding=ROUND_HALF_EVEN)
_TENTH: Final = Decimal("0.1")


def print_comparison(comparison: Comparison, console: Console, *, whole: bool) -> None:
    """Print it: what was, then the plans, those that can be compared first."""
    whose = "all tenants" if comparison.tenant is None else comparison.tenant
    state = ", running: preliminary" if comparison.running else ""
    console.print(
        cell(
            f"Plans for {whose}, {comparison.period.start:%Y-%m} (UTC){state}:"
            f" {comparison.used_tokens:,} tokens"
        ),
        highlight=False,
    )
    shown = comparison.plans if whole else _first_of_each_kind(comparison.plans)
    console.print(_table(comparison, shown))
    hidden = len(comparison.plans) - len(shown)
    lines = [f"{hidden} more plans: --all"] if hidden else []
    if not all(_rated(one, comparison.actual) for one in shown):
        lines.append(IN_BRACKETS)
    for line in (*lines, *_rates(comparison), *comparison.notes, f"Electricity: {IGNORED}"):
        console.print(cell(line), highlight=False)


def _first_of_each_kind(plans: Sequence[Row]) -> list[Row]:
    seen: Counter[str] = Counter()
    shown = []
    for row in plans:
        kind = row.outcome.plan.kind
        seen[kind] += 1
        if seen[kind] <= OF_A_KIND_MAX:
            shown.append(row)
    return shown


def _rated(row: Row, actual: Row) -> bool:
    return rated_alike(row, actual, "kwh") and rated_alike(row, actual, "location_gco2e")


def _table(comparison: Comparison, shown: Sequence[Row]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("plan", overflow="fold")
    for column in ("moved", f"cost, {comparison.currency}", "more", "%"):
        table.add_column(cell(column), justify="right", overflow="fold")
    for column in ("kWh", "kg CO2e, grid"):
        table.add_column(column, justify="right", overflow="fold")
    table.add_column("not in it", overflow="fold")
    _add(table, comparison, comparison.actual)
    table.add_section()
    for row in shown:
        _add(table, comparison, row)
    return table


def _add(table: Table, comparison: Comparison, row: Row) -> None:
    outcome, actual = row.outcome, row is comparison.actual
    kwh, emitted = outcome.electricity.kwh, outcome.electricity.location_gco2e
    table.add_row(
        cell(outcome.plan.name),
        "" if actual else _percent(Decimal(row.moved_tokens), Decimal(comparison.used_tokens)),
        cell(_cost(row)),
        "" if actual else _more(row),
        "" if actual else _share(row, comparison.actual),
        _bracketed(span(kwh, Decimal(1)), rated_alike(row, comparison.actual, "kwh")),
        _bracketed(
            span(emitted, GRAMS_PER_KG), rated_alike(row, comparison.actual, "location_gco2e")
        ),
        cell("; ".join(_missing(row, comparison.actual))),
        style="bold" if actual else None,
    )


def _bracketed(text: str, alike: bool) -> str:
    return text if alike or text == "–" else f"({text})"


def _cost(row: Row) -> str:
    """In the comparison's currency; what cannot be converted is in its own."""
    if row.cost is not None:
        return written(row.cost)
    return ", ".join(f"{name} {written(one)}" for name, one in row.outcome.totals().items())


def _more(row: Row) -> str:
    if row.more is None or not row.comparable:
        return "–"
    return f"{'+' if row.more > 0 else ''}{written(row.more)}"


def _share(row: Row, actual: Row) -> str:
    if row.more is None or not row.comparable or not actual.cost:
        return "–"
    share = _percent(row.more, actual.cost)
    return f"+{share}" if row.more > 0 else share


def _percent(part: Decimal, whole: Decimal) -> str:
    """Rounded to a tenth; of nothing it is nothing."""
    if not whole:
        return "–"
    exact = _SHARE.divide(_SHARE.multiply(part, Decimal(100)), whole)
    rounded = _SHARE.quantize(exact, _TENTH)
    return f"{rounded.copy_abs() if rounded.is_zero() else rounded:,f} %"


def _missing(row: Row, actual: Row) -> list[str]:
    """What a plan has no price or rating for; and whether it prices what has no price now."""
    outcome = row.outcome
    tokens, units = outcome.unpriced_tokens(), outcome.unpriced_units()
    said = [f"unpriced: {tokens:,} tokens"] if tokens else []
    said += [f"unpriced: {count:,} {unit}" for unit, count in units.items()]
    if not row.comparable and tokens < actual.outcome.unpriced_tokens():
        said.append("prices more than now has a price")
    if outcome.electricity.unrated_tokens:
        said.append(f"unrated: {outcome.electricity.unrated_tokens:,} tokens")
    if row.no_rate is not None:
        said.append("no rate of exchange")
    return said


def _rates(comparison: Comparison) -> list[str]:
    rows = (comparison.actual, *comparison.plans)
    reasons = dict.fromkeys(one.no_rate for one in rows if one.no_rate is not None)
    converted = any(
        one.cost is not None and set(one.outcome.totals()) - {comparison.currency} for one in rows
    )
    said = [f"Converted by the rates of {comparison.day}."] if converted else []
    return said + [f"Not converted: {one}." for one in reasons]
