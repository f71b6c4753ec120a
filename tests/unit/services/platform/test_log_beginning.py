from __future__ import annotations

import pytest

from services.platform.log_beginning import beginnings


@pytest.mark.parametrize(
    ("known", "metered", "start", "accept", "begin"),
    [
        (None, None, 0, False, 0),
        (None, None, 499, False, 0),
        (None, None, 499, True, 499),
        (0, None, 499, False, 0),
        (0, None, 499, True, 499),
        (500, None, 499, True, 500),
        (None, 40, 90, False, 40),
        (None, 40, 90, True, 40),
        (40, 40, 90, True, 40),
    ],
    ids=[
        "a new topic",
        "records gone that were never metered",
        "the same, accepted",
        "gone since it was recorded",
        "the same, accepted",
        "recorded ahead of the log",
        "metered by a version that recorded nothing",
        "the same: what was metered is no loss",
        "metered and recorded",
    ],
)
def test_where_a_partition_begins(
    known: int | None, metered: int | None, start: int, accept: bool, begin: int
) -> None:
    found = beginnings(
        {} if known is None else {0: known},
        {} if metered is None else {0: metered},
        {0: start},
        accept_log_start=accept,
    )
    assert found == {0: begin}
