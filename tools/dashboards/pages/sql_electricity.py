"""PURE. The SQL dashboard Electricity: real kWh and CO2e as ranges, and what is unrated."""

from __future__ import annotations

from typing import Final

from tools.dashboards.layout import Page, Section, column_variable
from tools.dashboards.panels import RATIO, TOKENS, About, figure, lines, rows
from tools.dashboards.queries import CLICKHOUSE_TYPE, IN_REGIONS, sql_rows, sql_series

#: Grafana's names of units.
KWH: Final = "kwatth"
GRAMS: Final = "massg"
GREEN, ORANGE = "green", "orange"
IN_TENANTS: Final = "tenant IN (${tenant:singlequote})"
#: Sums only, which the parts are for.
TAKEN: Final = (
    f"FROM energy_parts\nWHERE $__timeFilter(window_start) AND {IN_TENANTS} AND {IN_REGIONS}"
)
#: What the model leaves out; beside every number.
IGNORED: Final = (
    "By output tokens and requests alone (EcoLogits): input, prefill, caches and the size of"
    " batches are not in it, and measurements of one model differ by ten times and more with how it"
    " is served."
)


def _range(name: str, unit: str) -> str:
    """Low, mean and high of a quantity: exact decimals until here, floats to be drawn."""
    return ",\n    ".join(
        f"toFloat64(sum({name}_{end})) AS {end}_{unit}" for end in ("low", "mean", "high")
    )


def _by_day(name: str, unit: str) -> str:
    return f"""
SELECT
    toStartOfDay(window_start) AS time,
    {_range(name, unit)}
{TAKEN}
GROUP BY time
ORDER BY time
"""


def _by(columns: str) -> str:
    return f"""
SELECT
    {columns},
    toFloat64(sum(e.tokens)) AS tokens,
    toFloat64(sum(e.unrated_tokens)) AS unrated_tokens,
    toFloat64(sum(kwh_low)) AS low_kwh,
    toFloat64(sum(kwh_mean)) AS mean_kwh,
    toFloat64(sum(kwh_high)) AS high_kwh,
    toFloat64(sum(location_gco2e_mean)) AS location_co2e,
    toFloat64(sum(market_gco2e_mean)) AS market_co2e,
    toFloat64(sum(embodied_gco2e_mean)) AS embodied_co2e
{TAKEN.replace("energy_parts", "energy_parts AS e")}
GROUP BY {columns}
ORDER BY tokens DESC
LIMIT 50
"""


TABLE_UNITS: Final = {
    **{"tokens": TOKENS, "unrated_tokens": TOKENS},
    **{"location_co2e": GRAMS, "market_co2e": GRAMS, "embodied_co2e": GRAMS},
}

SUMS: Final = Section(
    "Real electricity, estimated",
    [
        figure(
            About("Electricity", f"Low, mean and high in the time shown. {IGNORED}", KWH, 12, 6),
            sql_rows(f"SELECT\n    {_range('kwh', 'kwh')}\n{TAKEN}"),
            named=True,
        ),
        figure(
            About(
                "CO2e by the grid",
                f"Of that electricity, location-based: low, mean and high. {IGNORED}",
                *(GRAMS, 12, 6),
            ),
            sql_rows(f"SELECT\n    {_range('location_gco2e', 'co2e')}\n{TAKEN}"),
            named=True,
        ),
        figure(
            About(
                "Embodied CO2e",
                "The share of making the computers that the time of their use is given; in no"
                " other number.",
                *(GRAMS, 12, 6),
            ),
            sql_rows(f"SELECT\n    {_range('embodied_gco2e', 'co2e')}\n{TAKEN}"),
            named=True,
        ),
        figure(
            About(
                "Unrated",
                "Part of the tokens whose model nobody rated: they are in no kWh, which does not"
                " make them 0.",
                *(RATIO, 12, 6),
            ),
            sql_rows(f"SELECT sum(unrated_tokens) / sum(tokens) AS unrated\n{TAKEN}"),
            steps=[(None, GREEN), (0.05, ORANGE)],
        ),
        lines(
            About("Electricity by day", f"Low, mean and high. {IGNORED}", KWH, 12),
            sql_series(_by_day("kwh", "kwh")),
        ),
        lines(
            About(
                "CO2e by day",
                f"Location-based: by each region's grid. Low, mean and high. {IGNORED}",
                *(GRAMS, 12),
            ),
            sql_series(_by_day("location_gco2e", "co2e")),
        ),
    ],
)

PARTS: Final = Section(
    "Who, where, by which models",
    [
        rows(
            About(
                f"Electricity by {title}",
                "CO2e by the grid (location) and by what is bought (market) are two accounts of the"
                " same kWh and never added; empty is not known, which is not 0. Means of ranges."
                f" {IGNORED}",
                *(KWH, 24, 9),
            ),
            sql_rows(_by(columns)),
            units=TABLE_UNITS,
        )
        for title, columns in (
            ("model", "provider, model"),
            ("region", "region, grid"),
            ("tenant", "tenant"),
        )
    ],
)

SQL_ELECTRICITY: Final = Page(
    uid="wattoken-sql-electricity",
    title="Wattoken SQL · Electricity",
    question="How much real electricity did tokens take, what did it emit, what is unrated?",
    kind=CLICKHOUSE_TYPE,
    span="30d",
    refresh="5m",
    variables=[
        column_variable("tenant", "usage_hour_parts"),
        column_variable("region", "registers"),
    ],
    sections=[SUMS, PARTS],
)
