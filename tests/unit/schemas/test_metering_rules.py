"""The metering rules: none of them may be nothing."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from schemas.metering_rules import (
    DAY_MS,
    MINUTE_MS,
    RULE_NAMES,
    THRESHOLDS_MAX,
    MeteringRules,
    row_of,
    rules_of,
)

NUMBERS = [rule.name for rule in fields(MeteringRules) if rule.name != "context_thresholds"]


def test_defaults_are_those_of_the_contract() -> None:
    rules = MeteringRules()
    assert rules.too_old_ms == 35 * DAY_MS
    assert rules.too_new_ms == rules.late_after_ms == 5 * MINUTE_MS
    assert rules.dedup_horizon_ms == DAY_MS
    assert rules.context_thresholds == (
        *(32_000, 100_000, 128_000, 199_999, 200_000, 252_000),
        *(256_000, 272_000, 512_000, 524_288, 1_000_000),
    )


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [0, -1])
def test_no_rule_is_zero_or_less(name: str, value: int) -> None:
    values: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=name):
        MeteringRules(**values)


@pytest.mark.parametrize(
    "thresholds",
    [(0,), (-1, 5), (5, 5), (6, 5), (2**32,), tuple(range(1, THRESHOLDS_MAX + 2))],
    ids=["zero", "negative", "twice", "descending", "too large", "too many"],
)
def test_thresholds_that_make_no_bands_are_refused(thresholds: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="context_thresholds"):
        MeteringRules(context_thresholds=thresholds)


@pytest.mark.parametrize("thresholds", [(), (1,), (2**32 - 1,), tuple(range(1, 65))])
def test_rules_come_back_from_their_row(thresholds: tuple[int, ...]) -> None:
    rules = MeteringRules(too_old_ms=5, series_max=7, context_thresholds=thresholds)
    row = row_of(rules)
    assert dict(zip(RULE_NAMES, row, strict=True))["context_thresholds"] == list(thresholds)
    assert rules_of(row) == rules
    assert hash(rules_of(row)) == hash(rules)
