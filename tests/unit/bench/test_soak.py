"""Growth is told from a level that memory finds at first."""

from __future__ import annotations

import pytest

from bench.soak import growth


@pytest.mark.parametrize(
    ("samples_mb", "flat"),
    [
        ([50.0 + min(30.0, number) for number in range(200)], True),
        ([80.0 + number % 3 for number in range(200)], True),
        ([80.0 + number * 0.1 for number in range(200)], False),
        ([80.0], True),
    ],
)
def test_growth_after_the_warm_up_counts(samples_mb: list[float], flat: bool) -> None:
    assert growth(samples_mb).flat is flat


def test_the_peak_is_kept() -> None:
    assert growth([1.0, 9.0, 2.0, 2.0, 2.0, 2.0]).peak_mb == 9.0
