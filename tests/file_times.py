"""Where the time of a run of tests went, file by file: what to look at first to make it shorter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

import pytest

#: A run that is shorter than this is short enough.
SECONDS_MIN: Final = 300.0
FILES_MAX: Final = 40
FILES_A_LINE: Final = 2


def lines(reports: Iterable[pytest.TestReport]) -> Sequence[str]:
    """The files that took longest, with set-up and tear-down; none where all were quick.

    Of several workers the seconds add up to more than the run took.
    """
    seconds: dict[str, float] = defaultdict(float)
    for report in reports:
        seconds[report.nodeid.partition("::")[0].removeprefix("tests/")] += report.duration
    if sum(seconds.values()) < SECONDS_MIN:
        return []
    slowest = sorted(seconds.items(), key=lambda one: -one[1])
    told = [f"{spent:6.0f}  {file:58}" for file, spent in slowest[:FILES_MAX]]
    others = slowest[FILES_MAX:]
    told.append(f"{sum(spent for _, spent in others):6.0f}  {len(others)} other files")
    return [
        "".join(told[at : at + FILES_A_LINE]).rstrip() for at in range(0, len(told), FILES_A_LINE)
    ]
