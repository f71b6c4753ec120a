"""PURE. The section of a bill that says how much real electricity its tokens took, as estimated.

Everywhere else on a bill "energy" is what tokens are charged. This is no charge, and in no amount.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, Final

from services.billing.electricity import RANGES, Electricity, ModelElectricity, Range, total
from services.billing.sections import Row, Section, numbers, texts

#: An estimate by a model that leaves out more than what these hide; JSON has all digits.
_SHOWN: Final = Context(prec=3, rounding=ROUND_HALF_EVEN)
GRAMS_PER_KG: Final = Decimal(1000)
#: What the numbers leave out; stands wherever they do.
IGNORED: Final = (
    "By output tokens and requests alone, from the least to the most that the models' undisclosed"
    " sizes allow. Input, prefill, caches and how many requests share a computer are not in it:"
    " measurements of one model differ by ten times and more with how it is served."
)
NOTE: Final = (
    "No charge, and in no amount: an estimate of real electricity, by the model of EcoLogits, with"
    f" the overhead of data centres. {IGNORED}"
    " CO2e by the grid and by what is bought are two accounts of the same electricity and never"
    " added; embodied is the share of making the computers. A dash is not known, which is not 0."
)


def electricity_section(models: Sequence[ModelElectricity]) -> Section:
    """A row for each model, and one for all; tokens that nobody rated are named."""
    rows = [Row((f"{one.model}, {one.provider}", *_cells(one.electricity))) for one in models]
    if rows:
        everything = total(one.electricity for one in models)
        rows.append(Row(("All models", *_cells(everything)), "subtotal"))
    return Section(
        "Electricity, estimated",
        (
            *texts("Model"),
            *numbers("Tokens", "Unrated", "kWh", "kg CO2e, grid", "kg CO2e, bought", "kg embodied"),
        ),
        tuple(rows),
        note=NOTE,
    )


def electricity_document(models: Sequence[ModelElectricity]) -> dict[str, Any]:
    """The same as plain values, every digit of them; what is not known is null."""
    return {
        "unit": "kWh and gCO2e of real electricity, estimated; no charge",
        "ignores": IGNORED,
        "total": electricity_values(total(one.electricity for one in models)),
        "models": [
            {"provider": one.provider, "model": one.model} | electricity_values(one.electricity)
            for one in models
        ],
    }


def _cells(found: Electricity) -> tuple[str, ...]:
    return (
        f"{found.tokens:,}",
        f"{found.unrated_tokens:,}",
        span(found.kwh, Decimal(1)),
        *(
            span(one, GRAMS_PER_KG)
            for one in (found.location_gco2e, found.market_gco2e, found.embodied_gco2e)
        ),
    )


def span(found: Range | None, unit: Decimal) -> str:
    """A range in so many of its unit, three digits of each end; a dash where it is not known."""
    if found is None:
        return "–"
    low, high = (shown(end / unit) for end in (found.low, found.high))
    return low if low == high else f"{low} – {high}"


def shown(number: Decimal) -> str:
    """Three digits of a number, without an exponent: 0.00123, 12,300."""
    rounded = _SHOWN.plus(number)
    return "0" if rounded == 0 else f"{rounded:,f}"


def electricity_values(found: Electricity) -> dict[str, Any]:
    """Counts, and the ends of each range as text; of what is not known null."""
    ranges = {name: getattr(found, name) for name in RANGES}
    return {
        "tokens": found.tokens,
        "unrated_tokens": found.unrated_tokens,
        "location_unrated_tokens": found.location_unrated_tokens,
        "market_unrated_tokens": found.market_unrated_tokens,
        **{name: one and _ends(one) for name, one in ranges.items()},
    }


def _ends(found: Range) -> dict[str, str]:
    return {name: f"{getattr(found, name):f}" for name in ("low", "mean", "high")}
