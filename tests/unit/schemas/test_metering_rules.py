"""The metering rules: none of them may be nothing."""

from __future__ import annotations

from dataclasses import fields

import pytest

from schemas.metering_rules import DAY_MS, MINUTE_MS, MeteringRules


def test_defaults_are_those_of_the_contract() -> None:
    rules = MeteringRules()
    assert rules.too_old_ms == 35 * DAY_MS
    assert rules.too_new_ms == rules.late_after_ms == 5 * MINUTE_MS
    assert rules.dedup_horizon_ms == DAY_MS


@pytest.mark.parametrize("name", [field.name for field in fields(MeteringRules)])
@pytest.mark.parametrize("value", [0, -1])
def test_no_rule_is_zero_or_less(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=name):
        MeteringRules(**{name: value})
