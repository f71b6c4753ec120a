from __future__ import annotations

import pytest

from bench.schedule import interleaved, medians, percentile


def test_programs_take_turns_so_that_drift_hits_all_alike() -> None:
    assert list(interleaved(["a", "b", "c"], 2)) == [
        *((1, "a"), (1, "b"), (1, "c")),
        *((2, "a"), (2, "b"), (2, "c")),
    ]


def test_the_median_counts_and_who_has_no_valid_run_has_none() -> None:
    assert medians({"a": [9.0, 1.0, 2.0], "b": [4.0, 2.0], "c": []}) == {"a": 2.0, "b": 3.0}


@pytest.mark.parametrize(
    ("percent", "expected"), [(50, 50), (99, 99), (99.5, 100), (100, 100), (1, 1)]
)
def test_percentile_is_a_value_that_was_seen(percent: float, expected: float) -> None:
    assert percentile([float(value) for value in range(100, 0, -1)], percent) == expected


def test_percentile_of_few_values_is_the_largest() -> None:
    assert percentile([3.0, 1.0], 99) == 3.0


def test_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 99)
