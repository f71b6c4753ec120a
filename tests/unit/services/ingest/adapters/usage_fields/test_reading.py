"""Units beside tokens and instead of them, lifetimes without their sum, seconds, tiers."""

from __future__ import annotations

from typing import Any

import pytest

from services.ingest.adapters.usage_fields.fields import (
    Quantity,
    inside,
    instead,
    tier,
    total,
    unit,
)
from services.ingest.adapters.usage_fields.reading import gather
from services.ingest.adapters.usage_fields.register import Register
from services.ingest.errors import EventRejectedError

REGISTER = Register(
    "made-up",
    total(Quantity.INPUT, "in"),
    total(Quantity.OUTPUT, "out"),
    total(Quantity.SUM, "sum"),
    inside(Quantity.CACHE_WRITE, "written"),
    inside(Quantity.CACHE_WRITE_5M, "written_5m"),
    inside(Quantity.CACHE_WRITE_1H, "written_1h"),
    unit(Quantity.WEB_SEARCHES, "searches", "tool.searches"),
    instead(Quantity.AUDIO_MILLISECONDS, "seconds", in_seconds=True),
    instead(Quantity.PAGES, "pages"),
    tier("tier", "nested.tier"),
)
BILLED_BY_UNITS = {"input tokens": 0, "output tokens": 0}


def counts(usage: dict[str, Any]) -> dict[str, int]:
    told = gather(usage, REGISTER, "")
    return {quantity.value: count for quantity, count in told.counts.items()}


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        ({"pages": 3}, BILLED_BY_UNITS | {"pages": 3}),
        (
            {"pages": 3, "in": 0, "out": 0, "sum": 0},
            BILLED_BY_UNITS | {"all tokens": 0, "pages": 3},
        ),
        # Tokens are billed then, and pages are not.
        ({"pages": 3, "in": 7}, {"input tokens": 7}),
        ({"pages": 3, "sum": 7}, {"all tokens": 7}),
        # Nothing was billed: a missing total stays missing.
        ({"pages": 0}, {"pages": 0}),
        ({"searches": 3}, {"web searches": 3}),
        ({"searches": 0, "tool": {"searches": 3}}, {"web searches": 3}),
        # The first name counts, and two that differ are no contradiction.
        ({"searches": 2, "tool": {"searches": 3}}, {"web searches": 2}),
        ({"searches": 0, "tool": {"searches": None}}, {"web searches": 0}),
        (
            {"written_5m": 3, "written_1h": 4},
            {
                "tokens written to the cache": 7,
                "tokens written to the cache for 5 minutes": 3,
                "tokens written to the cache for an hour": 4,
            },
        ),
        (
            {"written_5m": 3, "written": 9},
            {
                "tokens written to the cache": 9,
                "tokens written to the cache for 5 minutes": 3,
            },
        ),
        ({"written_5m": 0}, {"tokens written to the cache for 5 minutes": 0}),
    ],
)
def test_what_is_told(usage: dict[str, Any], told: dict[str, int]) -> None:
    assert counts(usage) == told


@pytest.mark.parametrize(
    ("seconds", "milliseconds"),
    [(9.5, 9500), (12, 12000), (0.0019, 1), (0.1 + 0.2, 300), (1e8, 10**11)],
)
def test_seconds_are_cut_to_milliseconds(seconds: float, milliseconds: int) -> None:
    assert counts({"seconds": seconds})["milliseconds of audio"] == milliseconds


@pytest.mark.parametrize("seconds", ["9", True, -0.5, 1e9, float("nan"), float("inf"), [1]])
def test_what_is_no_time_is_refused(seconds: Any) -> None:
    with pytest.raises(EventRejectedError, match="^seconds is "):
        counts({"seconds": seconds})


def test_the_tier_is_read_with_the_counts() -> None:
    assert gather({"tier": "default"}, REGISTER, "").service_tier == "standard"
    assert gather({"nested": {"tier": "flex"}}, REGISTER, "").service_tier == "flex"
    assert gather({"nested": "flex", "tier": 7}, REGISTER, "").service_tier is None
