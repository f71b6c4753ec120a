"""PURE. Real electricity of the billing period: its rows and its metric families.

Prometheus' base units: joules and grams. What no rating says is absent, never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from services.exporter.exposition import Family, LabelValues, family
from services.exporter.families import ShownAs
from services.exporter.rows import Series

JOULES_PER_KWH: Final = 3_600_000
#: The ends of a range and its middle, as the label ``bound`` has them.
BOUNDS: Final = ("low", "mean", "high")
#: The accounts of CO2e, as the label ``account`` has them: two of the same electricity, and the
#: share of making the computers.
ACCOUNTS: Final = ("location", "market", "embodied")

#: Low, mean and high; None where nothing of it is rated.
Bounds = tuple[float | None, float | None, float | None]


class ElectricityRow(NamedTuple):
    """What a series took in this billing period, of all tenants. ``kwh`` is with the overhead."""

    series: Series
    unrated_tokens: int
    kwh: Bounds
    location_gco2e: Bounds
    market_gco2e: Bounds
    embodied_gco2e: Bounds


def electricity_families(rows: Iterable[ElectricityRow], shown_as: ShownAs) -> Iterator[Family]:
    """Make electricity by series, its CO2e by region, and the tokens that neither is known of."""
    found = list(rows)
    yield family(
        "wattoken_billing_period_electricity_joules",
        _added(
            ((*shown_as(row.series), bound), kwh * JOULES_PER_KWH)
            for row in found
            for bound, kwh in zip(BOUNDS, row.kwh, strict=True)
            if kwh is not None
        ),
    )
    yield family(
        "wattoken_billing_period_co2e_grams",
        _added(
            ((shown_as(row.series).region, account, bound), grams)
            for row in found
            for account, bounds in zip(ACCOUNTS, row[3:], strict=True)
            for bound, grams in zip(BOUNDS, bounds, strict=True)
            if grams is not None
        ),
    )
    yield family(
        "wattoken_billing_period_unrated_tokens",
        _added(
            ((series.provider, series.model), row.unrated_tokens)
            for row in found
            if row.unrated_tokens
            for series in [shown_as(row.series)]
        ),
    )


def _added(
    samples: Iterable[tuple[LabelValues, float]],
) -> Iterator[tuple[LabelValues, float]]:
    """Samples of equal labels as one: series without a name of their own are summed."""
    sums: dict[LabelValues, float] = {}
    for labels, value in samples:
        sums[labels] = sums.get(labels, 0) + value
    yield from sums.items()
