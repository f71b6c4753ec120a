from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.core.log_time import LogTime

TIMES_MS = st.lists(st.integers(0, 20), min_size=1, max_size=12)


@given(TIMES_MS, st.integers(1, 5))
def test_log_time_is_the_running_maximum_whatever_the_batches(
    append_ms: list[int], size: int
) -> None:
    log_time, found = LogTime(), list[int]()
    for start in range(0, len(append_ms), size):
        found += log_time.of(np.array(append_ms[start : start + size])).tolist()
    assert found == [max(append_ms[: end + 1]) for end in range(len(append_ms))]
    assert log_time.last_ms == max(append_ms)


@given(TIMES_MS, st.integers(0, 21))
def test_it_may_begin_where_the_first_record_of_a_time_is(append_ms: list[int], at: int) -> None:
    """As a recovery does: from there on it is the same as if all had been read."""
    start = next((place for place, time in enumerate(append_ms) if time >= at), None)
    if start is None:
        return
    whole = LogTime().of(np.array(append_ms)).tolist()
    assert LogTime().of(np.array(append_ms[start:])).tolist() == whole[start:]
    assert all(time < at for time in whole[:start])
