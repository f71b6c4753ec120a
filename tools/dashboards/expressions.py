"""PURE. PromQL that more than one panel uses: load, demand, and the recording rules' names."""

from __future__ import annotations

from typing import Final

REGION: Final = '{region=~"$region"}'


def rate_of(*counters: str, by: str = "") -> str:
    """Sum the per-second rates of counters of the registers, in the regions chosen."""
    grouped = f"sum by ({by})" if by else "sum"
    return " + ".join(
        f"{grouped} (rate(wattoken_{counter}_total{REGION}[$__rate_interval]))"
        for counter in counters
    )


def total_of(*counters: str, by: str = "") -> str:
    """Sum counters of the registers, in the regions chosen."""
    grouped = f"sum by ({by})" if by else "sum"
    return " + ".join(f"{grouped} (wattoken_{counter}_total{REGION})" for counter in counters)


#: All tokens of a request: what is cached is part of input, what is reasoned part of output.
TOKENS: Final = ("input_tokens", "output_tokens")


def demand_of(gauge: str, by: str = "") -> str:
    """Sum a demand gauge over the regions chosen."""
    grouped = f"sum by ({by})" if by else "sum"
    return f"{grouped} (wattoken_{gauge}{REGION})"


_MODEL_TOKENS: Final = (
    "(sum by (model) (increase(wattoken_input_tokens_total[7d]))"
    " + sum by (model) (increase(wattoken_output_tokens_total[7d])))"
)
#: One row a model, however many exporters say so.
_MODEL_INFO: Final = "max by (model, author, origin) (wattoken_model_info)"
AUTHOR_TOKENS: Final = (
    f"sum by (author) ({_MODEL_TOKENS} * on (model) group_left (author) {_MODEL_INFO})"
)
AUTHOR_SHARE: Final = f"{AUTHOR_TOKENS} / scalar(sum({_MODEL_TOKENS}))"
ORIGIN_GROWTH: Final = (
    "sum by (origin) (wattoken_week_tokens) / sum by (origin) (wattoken_week_tokens offset 1w) - 1"
)
