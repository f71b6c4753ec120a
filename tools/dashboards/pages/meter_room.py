"""PURE. The dashboard Meter room: registers, token density, cache hits, charges and prices."""

from __future__ import annotations

from typing import Final

from tools.dashboards.expressions import TOKENS, rate_of, told, total_of
from tools.dashboards.layout import SERIES_VARIABLES, Page, Section
from tools.dashboards.panels import (
    COUNT,
    NO_UNIT,
    RATIO,
    TIME,
    TOKENS_PER_SECOND,
    USD,
    About,
    bars,
    figure,
    lines,
    rows,
    shares,
)
from tools.dashboards.panels import TOKENS as TOKEN_UNIT
from tools.dashboards.queries import PROMETHEUS_TYPE, promql, promql_now

SERIES: Final = "region, provider, model"
CHARGES: Final = told("wattoken_billing_period_charges_usd")
#: Of the recording rules by model.
OF_MODELS: Final = '{model=~"$model"}'

TOTALS: Final = Section(
    "Totals of all time",
    [
        figure(
            About("Tokens", "Input and output tokens metered.", TOKEN_UNIT, 6, 4),
            promql_now(total_of(*TOKENS)),
        ),
        figure(
            About("Requests", "Requests metered, failed ones included.", COUNT, 6, 4),
            promql_now(total_of("requests")),
        ),
        figure(
            About("Failed", "Requests that ended in an error, of all.", RATIO, 6, 4),
            promql_now(f"{total_of('failed_requests')} / {total_of('requests')}"),
        ),
        figure(
            About("Estimated", "Tokens estimated and not measured, of all.", RATIO, 6, 4),
            promql_now(f"{total_of('estimated_tokens')} / ({total_of(*TOKENS)})"),
        ),
        rows(
            About(
                "Registers",
                "Cumulative totals by region, provider and model since the meter was installed;"
                " they never fall.",
                *(TOKEN_UNIT, 24, 12),
            ),
            *(
                promql_now(total_of(counter, by=SERIES), ref=ref, as_table=True)
                for ref, counter in zip(
                    "ABCDE",
                    (
                        "requests",
                        "input_tokens",
                        "cache_read_input_tokens",
                        "output_tokens",
                        "reasoning_output_tokens",
                    ),
                    strict=True,
                )
            ),
            merged=True,
            hidden=("Time",),
            named={
                "Value #A": "requests",
                "Value #B": "input",
                "Value #C": "cache read",
                "Value #D": "output",
                "Value #E": "reasoning",
            },
            units={"requests": COUNT},
        ),
    ],
)

CLASSES: Final = Section(
    "Token classes and adjustments",
    [
        lines(
            About(
                "Token classes",
                "Cache read and cache write are parts of input, reasoning is part of output.",
                TOKENS_PER_SECOND,
            ),
            *(
                promql(rate_of(counter), name, ref=ref)
                for ref, counter, name in (
                    ("A", "input_tokens", "input"),
                    ("B", "cache_read_input_tokens", "of it cache read"),
                    ("C", "cache_write_input_tokens", "of it cache write"),
                    ("D", "output_tokens", "output"),
                    ("E", "reasoning_output_tokens", "of it reasoning"),
                )
            ),
        ),
        lines(
            About(
                "Estimated by region",
                "Part of the tokens of an hour that is estimated and not measured.",
                RATIO,
            ),
            promql(
                "max by (region)"
                ' (region:wattoken_estimated_tokens_share:ratio_rate1h{region=~"$region"})',
                "{{region}}",
            ),
        ),
        rows(
            About(
                "Adjustments",
                "Tokens added (debit) and taken back (credit) later, as entries of their own.",
                *(TOKEN_UNIT, 24),
            ),
            promql_now(total_of("debit_tokens", by="region"), ref="A", as_table=True),
            promql_now(total_of("credit_tokens", by="region"), ref="B", as_table=True),
            merged=True,
            hidden=("Time",),
            named={"Value #A": "debit", "Value #B": "credit"},
            units={},
        ),
    ],
)

DENSITY: Final = Section(
    "Density and cache",
    [
        bars(
            About("Tokens per request", "By model, over the last hour.", TOKEN_UNIT, 8, 10),
            promql_now(
                f"topk(15, max by (model) (model:wattoken_tokens_per_request:ratio{OF_MODELS}))",
                "{{model}}",
            ),
        ),
        bars(
            About("Output per input token", "By model, over the last hour.", NO_UNIT, 8, 10),
            promql_now(
                f"topk(15, max by (model) (model:wattoken_output_per_input:ratio{OF_MODELS}))",
                "{{model}}",
            ),
        ),
        bars(
            About("Cache hits", "Part of input read from a cache, by model.", RATIO, 8, 10),
            promql_now(
                f"topk(15, max by (model) (model:wattoken_cache_hit:ratio{OF_MODELS}))", "{{model}}"
            ),
            highest=1,
        ),
        lines(
            About("Tokens per request by region", "Input and output.", TOKEN_UNIT),
            promql(
                f"({rate_of(*TOKENS, by='region')}) / {rate_of('requests', by='region')}",
                "{{region}}",
            ),
        ),
        lines(
            About("Cache hits by region", "Part of input read from a cache.", RATIO),
            promql(
                f"{rate_of('cache_read_input_tokens', by='region')}"
                f" / {rate_of('input_tokens', by='region')}",
                "{{region}}",
            ),
        ),
    ],
)

CHARGED: Final = Section(
    "Charges of the billing period",
    [
        figure(
            About("Energy charge", "At list price.", USD, 6, 8),
            promql_now(f"sum({CHARGES})"),
        ),
        figure(
            About("Since", "When the billing period began.", TIME, 6, 8),
            promql_now(f"{told('wattoken_billing_period_start_timestamp_seconds')} * 1000"),
        ),
        shares(
            About("Charges by time of use", "In which period of the day.", USD),
            promql_now(f"sum by (tou_period) ({CHARGES})", "{{tou_period}}"),
        ),
        bars(
            About("Charges by region", "Where the tokens were served.", USD, 8, 10),
            promql_now(f"sum by (region) ({CHARGES})", "{{region}}"),
        ),
        bars(
            About("Charges by model", "The fifteen that cost most.", USD, 8, 10),
            promql_now(f"topk(15, sum by (model) ({CHARGES}))", "{{model}}"),
        ),
        rows(
            About(
                "Prices in force",
                "USD per million tokens, by provider, model, token class and time of use.",
                *(USD, 8, 10),
            ),
            promql_now(
                f"{told('wattoken_price_usd_per_token')} * 1e6",
                as_table=True,
            ),
            hidden=("Time",),
            named={"Value": "per million"},
            units={},
        ),
    ],
)

METER_ROOM: Final = Page(
    uid="wattoken-meter-room",
    title="Wattoken · Meter room",
    question="What do the registers say, how dense are requests, what does it cost?",
    kind=PROMETHEUS_TYPE,
    span="6h",
    refresh="30s",
    variables=SERIES_VARIABLES,
    sections=[TOTALS, CLASSES, DENSITY, CHARGED],
)
