"""PURE. The dashboard Grid: load, peaks, mix, and how close demand comes to capacity."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models.common import StackingMode

from tools.dashboards.expressions import BY_REGION, TOKENS, UNFILTERED, rate_of, sum_of, told
from tools.dashboards.layout import SERIES_VARIABLES, Page, Section
from tools.dashboards.panels import (
    RATIO,
    TIME,
    TOKENS_PER_SECOND,
    About,
    alerts,
    bars,
    figure,
    lines,
    rows,
    shares,
)
from tools.dashboards.queries import PROMETHEUS_TYPE, promql, promql_now

GREEN, ORANGE, RED = "green", "orange", "red"
#: Red is where the alert WattokenReserveMarginLow begins.
HEADROOM_STEPS: Final = ((None, RED), (0.15, ORANGE), (0.3, GREEN))
LOAD: Final = rate_of(*TOKENS, by="region", over="5m")
LOAD_FACTOR: Final = 'max by (region) (region:wattoken_load_factor:ratio{region=~"$region"})'
RESERVE_MARGIN: Final = 'min by (region) (region:wattoken_reserve_margin:ratio{region=~"$region"})'
CAPACITY: Final = told("wattoken_capacity_tokens_per_second")
#: Capacity is of a region, so what is held against it is of all its models.
REGIONS_DEMAND: Final = sum_of("sliding_demand_tokens_per_second", "region", filtered=BY_REGION)
#: 1 where a region idles, 0 where demand takes all its capacity up, below 0 where it wants more.
BALANCE: Final = f"({CAPACITY} - {REGIONS_DEMAND}) / {CAPACITY}"

NOW: Final = Section(
    "Now",
    [
        figure(
            About("Load", "Tokens per second over five minutes.", TOKENS_PER_SECOND, 4, 4),
            promql_now(rate_of(*TOKENS, over="5m")),
        ),
        figure(
            About(
                "Sliding demand",
                "Tokens per second over the last 15 complete minutes, renewed every minute.",
                *(TOKENS_PER_SECOND, 4, 4),
            ),
            promql_now(sum_of("sliding_demand_tokens_per_second")),
        ),
        figure(
            About(
                "Coincident peak",
                "Highest 15-minute demand of all regions together in the billing period.",
                *(TOKENS_PER_SECOND, 4, 4),
            ),
            promql_now(sum_of("coincident_demand_tokens_per_second", filtered=UNFILTERED)),
        ),
        figure(
            About(
                "Load factor of the system",
                "Average ÷ peak demand of the billing period, all regions together.",
                *(RATIO, 3, 4),
            ),
            promql_now("max(system:wattoken_load_factor:ratio)"),
        ),
        figure(
            About(
                "Coincidence factor",
                "Coincident peak ÷ sum of the regions' own peaks; the lower it is, the more one"
                " region's night helps with another's noon.",
                *(RATIO, 3, 4),
            ),
            promql_now("max(system:wattoken_coincidence_factor:ratio)"),
        ),
        figure(
            About(
                "Lowest reserve margin",
                "(Capacity − peak) ÷ peak of the region where it is lowest.",
                *(RATIO, 3, 4),
            ),
            promql_now(f"min({RESERVE_MARGIN})"),
            steps=HEADROOM_STEPS,
        ),
        figure(
            About(
                "Balance",
                "What frequency is to a power grid: capacity less demand, of capacity, where it is"
                " lowest. At 0 demand takes everything up.",
                *(RATIO, 3, 4),
            ),
            promql_now(f"min({BALANCE})"),
            steps=HEADROOM_STEPS,
        ),
    ],
)

LOADS: Final = Section(
    "Load",
    [
        lines(
            About(
                "Load by region",
                "Tokens per second, input and output, where they were served.",
                TOKENS_PER_SECOND,
            ),
            promql(LOAD, "{{region}}"),
            stacked=StackingMode.NORMAL,
        ),
        lines(
            About("Load by model", "The ten busiest models.", TOKENS_PER_SECOND),
            promql(f"topk(10, {rate_of(*TOKENS, by='model')})", "{{model}}"),
        ),
        lines(
            About(
                "Demand by region",
                "Block demand: tokens per second of the last closed 15-minute block (:00, :15, :30,"
                " :45 UTC), which bills are made from.",
                TOKENS_PER_SECOND,
            ),
            promql(sum_of("block_demand_tokens_per_second", "region"), "{{region}}"),
        ),
        lines(
            About(
                "Balance by region",
                "Capacity less sliding demand, of capacity: near 1 a region idles, at 0 demand"
                " takes everything up.",
                RATIO,
            ),
            promql(BALANCE, "{{region}}"),
            steps=HEADROOM_STEPS,
            from_zero=False,
        ),
    ],
)

PEAKS: Final = Section(
    "Peaks and capacity of the billing period",
    [
        rows(
            About(
                "Regions",
                "Sliding demand, peak of the billing period and when it was, demand at the system's"
                " peak, provisioned capacity, load factor and reserve margin.",
                *(TOKENS_PER_SECOND, 24, 9),
            ),
            promql_now(REGIONS_DEMAND, ref="A", as_table=True),
            promql_now(
                told("wattoken_billing_peak_demand_tokens_per_second"), ref="B", as_table=True
            ),
            promql_now(
                f"{told('wattoken_billing_peak_timestamp_seconds')} * 1000",
                ref="C",
                as_table=True,
            ),
            promql_now(
                told("wattoken_coincident_demand_tokens_per_second"), ref="D", as_table=True
            ),
            promql_now(CAPACITY, ref="E", as_table=True),
            promql_now(LOAD_FACTOR, ref="F", as_table=True),
            promql_now(RESERVE_MARGIN, ref="G", as_table=True),
            joined_by="region",
            hidden=("Time", *(f"Time {number}" for number in range(1, 8))),
            named={
                "Value #A": "demand now",
                "Value #B": "peak",
                "Value #C": "peak at",
                "Value #D": "at system peak",
                "Value #E": "capacity",
                "Value #F": "load factor",
                "Value #G": "reserve margin",
            },
            units={"peak at": TIME, "load factor": RATIO, "reserve margin": RATIO},
        ),
        bars(
            About("Load factor", "Average demand ÷ peak demand of the period.", RATIO),
            promql_now(LOAD_FACTOR, "{{region}}"),
            highest=1,
        ),
        bars(
            About(
                "Reserve margin",
                "(Capacity − peak) ÷ peak: how much higher the peak could be.",
                RATIO,
            ),
            promql_now(RESERVE_MARGIN, "{{region}}"),
            steps=HEADROOM_STEPS,
        ),
    ],
)

MIX: Final = Section(
    "Mix",
    [
        shares(
            About(
                "Mix by origin",
                "Tokens per second by home country of the model's maker.",
                *(TOKENS_PER_SECOND, 8),
            ),
            promql_now("max by (origin) (origin:wattoken_tokens:rate5m)", "{{origin}}"),
        ),
        shares(
            About("Mix by model", "The fifteen busiest models.", TOKENS_PER_SECOND, 8),
            promql_now(f"topk(15, {rate_of(*TOKENS, by='model')})", "{{model}}"),
        ),
        shares(
            About("Mix by region", "Where the tokens are served.", TOKENS_PER_SECOND, 8),
            promql_now(LOAD, "{{region}}"),
        ),
        lines(
            About(
                "Mix over time",
                "Share of the load by home country of the model's maker.",
                *(RATIO, 24),
            ),
            promql("max by (origin) (origin:wattoken_tokens_share:ratio_rate5m)", "{{origin}}"),
            stacked=StackingMode.NORMAL,
        ),
    ],
)

ALERTS: Final = Section("Alerts", [alerts("Alerts", width=24, height=6)])

GRID: Final = Page(
    uid="wattoken-grid",
    title="Wattoken · Grid",
    question="How much is being served, where and by which models, and how near is capacity?",
    kind=PROMETHEUS_TYPE,
    span="6h",
    refresh="15s",
    variables=SERIES_VARIABLES,
    sections=[NOW, LOADS, PEAKS, MIX, ALERTS],
)
