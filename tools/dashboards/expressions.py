"""PURE. PromQL that more than one panel uses: what the exporter tells, once, filtered and added up.

Several exporters of one meter tell the same, and so do two pods of which one follows the other. So
no expression adds up samples of the exporter as they come: `told` first takes one of those that are
alike in the metric's own labels, the highest, and only these are added up. Labels that a Prometheus
adds, ``instance`` or ``pod``, need not be known for that. What ingest and workers tell is of each
of them alone, and is added up as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from services.exporter.metric_definitions import METRICS, exposed_name

#: The exporter's metrics, by the name that Prometheus knows, and the labels that are their own.
EXPORTERS: Final[Mapping[str, tuple[str, ...]]] = {
    exposed_name(metric): metric.labels for metric in METRICS
}
#: Labels that a dashboard filters by, in the order of its variables.
FILTERED: Final = ("region", "provider", "model")
#: How far back a rate looks where a dashboard does not say otherwise: four scrapes at the least.
STEP: Final = "$__rate_interval"


#: Nothing: of all regions, providers and models.
UNFILTERED: Final = ()
BY_REGION: Final = ("region",)


def told(
    metric: str,
    *,
    filtered: Sequence[str] = FILTERED,
    per_second_over: str = "",
    grown_over: str = "",
) -> str:
    """One sample of the exporter for each set of the metric's own labels.

    Of those labels, ``filtered`` are held to the dashboard's variables of that name.
    ``per_second_over`` and ``grown_over`` take a counter's rate or increase over that time first.
    Raises `KeyError` for a metric that is not the exporter's.
    """
    labels = EXPORTERS[metric]
    matchers = [f'{label}=~"${label}"' for label in filtered if label in labels]
    selected = f"{metric}{{{', '.join(matchers)}}}" if matchers else metric
    if per_second_over:
        selected = f"rate({selected}[{per_second_over}])"
    elif grown_over:
        selected = f"increase({selected}[{grown_over}])"
    by = f" by ({', '.join(labels)}) " if labels else ""
    return f"max{by}({selected})"


def _added_up(by: str) -> str:
    return f"sum by ({by}) " if by else "sum"


def rate_of(*counters: str, by: str = "", over: str = STEP) -> str:
    """Sum the per-second rates of counters of the registers, of what is chosen."""
    return " + ".join(
        f"{_added_up(by)}({told(f'wattoken_{counter}_total', per_second_over=over)})"
        for counter in counters
    )


def total_of(*counters: str, by: str = "") -> str:
    """Sum counters of the registers, of what is chosen."""
    return " + ".join(
        f"{_added_up(by)}({told(f'wattoken_{counter}_total')})" for counter in counters
    )


#: All tokens of a request: what is cached is part of input, what is reasoned part of output.
TOKENS: Final = ("input_tokens", "output_tokens")


def sum_of(gauge: str, by: str = "", *, filtered: Sequence[str] = FILTERED) -> str:
    """Sum a gauge of the exporter over what is chosen."""
    return f"{_added_up(by)}({told(f'wattoken_{gauge}', filtered=filtered)})"


def _week_of(counter: str) -> str:
    counted = told(f"wattoken_{counter}_total", filtered=UNFILTERED, grown_over="7d")
    return f"sum by (model) ({counted})"


_MODEL_TOKENS: Final = f"({_week_of('input_tokens')} + {_week_of('output_tokens')})"
#: One row a model, however many exporters say so; its license may be written in two ways.
_MODEL_INFO: Final = "max by (model, author, origin) (wattoken_model_info)"
AUTHOR_TOKENS: Final = (
    f"sum by (author) ({_MODEL_TOKENS} * on (model) group_left (author) {_MODEL_INFO})"
)
AUTHOR_SHARE: Final = f"{AUTHOR_TOKENS} / scalar(sum({_MODEL_TOKENS}))"
WEEK_TOKENS: Final = told("wattoken_week_tokens")
ORIGIN_GROWTH: Final = f"{WEEK_TOKENS} / max by (origin) (wattoken_week_tokens offset 1w) - 1"
