"""PURE. What stands on a bill, section by section, in the order in which it is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from schemas.catalogue.currencies import DECIMALS
from services.billing.bill import Bill, BillLine, Group, grouped, subtotal
from services.billing.bill_comparison import comparison
from services.billing.electricity_section import electricity_section
from services.billing.exact import ZERO, written
from services.billing.rates import Rate
from services.billing.sections import Row, Section, numbers, texts
from services.billing.statement import Line

#: What a price is of: a million tokens, or a thousand of another unit.
PER_MILLION, PER_THOUSAND = "M", "1,000"
STANDARD = "standard"
NOTE = (
    "Prices are per million (M) tokens. Tokens read from or written to a cache, of audio or of"
    " images are no part of uncached input,"
    " reasoning tokens no part of output: each token is billed once. Hours, days and months are"
    " UTC; a time-of-use period begins at its hour in the zone of its calendar. Amounts are exact;"
    " only the net amount and each tax on it are rounded."
)


def sections(bill: Bill) -> list[Section]:
    """All sections of the bill; one that would have no rows is left out."""
    found = (
        _summary(bill),
        comparison(bill),
        _readings(bill),
        _load(bill),
        _parts(bill, "By time of use", "Period", lambda line: line.tou_period),
        _parts(bill, "By region", "Region", lambda line: line.region),
        _energy(bill),
        _units(bill),
        _demand(bill),
        _adjustments(bill),
        _unpriced(bill),
        electricity_section(bill.statement.electricity),
        _rates(bill),
    )
    return [one for one in found if one.rows or one.daily_tokens]


def _summary(bill: Bill) -> Section:
    energy = [one for one in bill.of("energy") if not one.line.unit]
    units = [one for one in bill.of("energy") if one.line.unit]
    rows = [Row(("Energy", bill.written(subtotal(energy, "energy"))))]
    if units:
        rows.append(Row(("Beyond tokens", bill.written(subtotal(units, "energy")))))
    rows += [
        Row(("Demand", bill.written(subtotal(bill.lines, "demand")))),
        Row(("Adjustments", bill.written(subtotal(bill.lines, "adjustment")))),
        Row(("Sum, exact", bill.written(bill.exact_net)), "subtotal"),
        Row(("Net amount", bill.written(bill.net))),
        *(
            Row((f"{one.tax.name} {_percent(one.tax.percent)}", bill.written(one.amount)))
            for one in bill.taxes
        ),
        Row((bill.due_label, bill.due_text), "total"),
    ]
    return Section("Summary", (*texts("Charge"), *numbers(bill.currency)), tuple(rows))


def _percent(percent: Decimal) -> str:
    return f"{written(percent, 0)} %"


def _readings(bill: Bill) -> Section:
    statement = bill.statement
    return Section(
        "Meter readings",
        (
            *texts("Register, tokens"),
            *numbers(f"{statement.period_start} 00:00", f"{statement.period_end} 00:00", "Used"),
        ),
        tuple(
            Row(
                (
                    one.register,
                    *(f"{one.start_tokens:,}", f"{one.end_tokens:,}", f"{one.used_tokens:,}"),
                )
            )
            for one in statement.readings
        ),
    )


def _load(bill: Bill) -> Section:
    days = tuple((f"{day}", tokens) for day, tokens in bill.statement.daily_tokens)
    highest = max((tokens for _, tokens in days), default=0)
    return Section(
        "Daily load", (), (), note=f"Highest day: {highest:,} tokens.", daily_tokens=days
    )


def _parts(bill: Bill, title: str, head: str, label: Callable[[Line], str]) -> Section:
    energy = [one for one in bill.of("energy") if not one.line.unit]
    groups = grouped(energy, lambda line: (label(line),))
    rows = [Row((*one.labels, f"{one.quantity:,}", bill.written(one.amount))) for one in groups]
    return Section(title, (*texts(head), *numbers("Tokens", bill.currency)), tuple(rows))


def _energy(bill: Bill) -> Section:
    """Usage by model, with a subtotal of each; all regions together."""
    lines = [one for one in bill.of("energy") if not one.line.unit]
    show = _Shown(bill, lines)
    rows: list[Row] = []
    for model in grouped(lines, lambda line: (line.provider, line.model)):
        provider, name = model.labels
        rows.append(Row((f"{name}, {provider}",), "heading"))
        parts = grouped(
            model.lines,
            lambda line: (
                *(line.token_class, line.service_tier or STANDARD, line.tou_period),
                *(line.currency, line.price),
            ),
        )
        for part in parts:
            token_class, tier, period, _, _ = part.labels
            rows.append(
                Row(
                    (
                        token_class,
                        *show.class_cells(tier, part),
                        *(
                            period,
                            f"{part.quantity:,}",
                            show.price(part),
                            bill.written(part.amount),
                        ),
                    ),
                    detail=conversion(part.original, part.rate),
                )
            )
        blank = [""] * (1 + len(show.class_columns))
        rows.append(
            Row(
                ("Subtotal", *blank, f"{model.quantity:,}", "", bill.written(model.amount)),
                "subtotal",
            )
        )
    if rows:
        blank = [""] * (3 + len(show.class_columns))
        rows.append(Row(("Energy", *blank, bill.written(subtotal(lines, "energy"))), "total"))
    columns = (
        *texts("Token class", *show.class_columns, "Period"),
        *numbers("Tokens", show.price_head(PER_MILLION), bill.currency),
    )
    return Section("Energy", columns, tuple(rows))


def _units(bill: Bill) -> Section:
    """What was used beyond tokens: searches, calls, images and the like."""
    lines = [one for one in bill.of("energy") if one.line.unit]
    show = _Shown(bill, lines)
    groups = grouped(
        lines,
        lambda line: (
            *(line.unit, line.provider, line.model, line.service_tier or STANDARD),
            *(line.tou_period, line.currency, line.price),
        ),
    )
    rows = tuple(
        Row(
            (
                *(one.labels[0], f"{one.labels[2]}, {one.labels[1]}"),
                *show.class_cells(one.labels[3], one),
                *(one.labels[4], f"{one.quantity:,}", show.price(one), bill.written(one.amount)),
            ),
            detail=conversion(one.original, one.rate),
        )
        for one in groups
    )
    columns = (
        *texts("Unit", "Model", *show.class_columns, "Period"),
        *numbers("Quantity", show.price_head(PER_THOUSAND), bill.currency),
    )
    return Section("Beyond tokens", columns, rows)


class _Shown:
    """Which columns the lines of a section need: classes of price, and prices' currency."""

    def __init__(self, bill: Bill, lines: Sequence[BillLine]) -> None:
        self._bill = bill
        self._tiers = any(one.line.service_tier not in ("", STANDARD) for one in lines)
        self._contexts = any(one.line.context_band for one in lines)
        self._foreign = any(one.rate for one in lines)
        self.class_columns = (
            *(("Tier",) if self._tiers else ()),
            *(("Input tokens",) if self._contexts else ()),
        )

    def class_cells(self, tier: str, group: Group) -> tuple[str, ...]:
        return (
            *((tier,) if self._tiers else ()),
            *((context(group),) if self._contexts else ()),
        )

    def price_head(self, per: str) -> str:
        return f"{'Price' if self._foreign else self._bill.currency}\u00a0/\u00a0{per}"

    def price(self, group: Group) -> str:
        line = group.lines[0].line
        if line.price is None:
            return "unpriced"
        currency = f"{line.currency} " if self._foreign else ""
        return currency + written(line.price)


def context(group: Group) -> str:
    """How long the input of requests was that have this price; '' if it is any up to a length.

    A price holds from its threshold on, up to the next that has another.
    """
    least = min(one.line.context_band for one in group.lines)
    return f"above {least:,}" if least else ""


def conversion(original: Decimal | None, rate: Rate | None) -> str:
    """Say what was converted, at which rate, of which day, and who published it."""
    if rate is None or original is None:
        return ""
    return (
        f"{rate.from_currency} {written(original, DECIMALS[rate.from_currency])}"
        f" × {written(rate.rate)} {rate.to_currency} ({rate.day}, {rate.source})"
    )


def _demand(bill: Bill) -> Section:
    rows = [
        Row(
            (
                "all regions" if one.labels[0] == "*" else one.labels[0],
                f"{line.peak_hour:%Y-%m-%d %H:%M}",
                f"{line.demand_tokens_per_second or 0:,}",
                f"{line.currency} {written(line.demand_price or ZERO)}",
                bill.written(one.amount),
            ),
            detail=conversion(one.original, one.rate),
        )
        for one in grouped(bill.of("demand"), lambda line: (line.region, line.tariff_id))
        for line in [one.lines[0].line]
    ]
    return Section(
        "Demand",
        (
            *texts("Measured over", "Highest hour"),
            *numbers("Tokens/s", "Price\u00a0/\u00a0token/s", bill.currency),
        ),
        tuple(rows),
        note="The tokens of the highest hour ÷ 3600, in whole tokens/s.",
    )


def _adjustments(bill: Bill) -> Section:
    rows = []
    for one in bill.adjustments:
        made = one.adjustment
        why = f"corrects {made.adjusts}: {made.reason}"
        if made.event_id is None:
            why = "metered before reasons were kept"
        detail = " · ".join(filter(None, (why, conversion(made.amount, one.rate))))
        rows.append(
            Row(
                (
                    *(f"{made.time:%Y-%m-%d %H:%M}", made.entry, f"{made.model}, {made.provider}"),
                    *(f"{made.tokens:,}", bill.written(one.amount)),
                ),
                detail=detail,
            )
        )
    return Section(
        "Adjustments",
        (*texts("Time", "Entry", "Model"), *numbers("Tokens", bill.currency)),
        tuple(rows),
    )


def _unpriced(bill: Bill) -> Section:
    groups = grouped(
        bill.of("unpriced"),
        lambda line: (
            *(line.entry, f"{line.model}, {line.provider}", line.token_class or line.unit),
            line.service_tier or STANDARD,
        ),
    )
    return Section(
        "Unpriced, in no amount",
        (*texts("Entry", "Model", "Token class", "Tier"), *numbers("Quantity")),
        tuple(Row((*one.labels, f"{one.quantity:,}")) for one in groups),
    )


def _rates(bill: Bill) -> Section:
    rows = [
        Row(
            (
                f"{one.from_currency} to {one.to_currency}",
                *(f"{one.day}", f"{one.source}, {one.source_date}", written(one.rate)),
            )
        )
        for one in bill.rates
    ]
    return Section(
        "Rates of exchange", (*texts("Pair", "Day", "Source"), *numbers("Rate")), tuple(rows)
    )
