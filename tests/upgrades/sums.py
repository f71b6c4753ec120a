"""PURE: what must come out of what was sent, by view and row, and what does not.

Nothing here is the meter's: each event counts once, whatever was sent how often.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.chaos.contributions import COLUMNS_OF, COUNTING, VIEWS, contributions
from tests.chaos.events import HOUR_MS, MINUTE_MS

Key = tuple[str, ...]
Rows = dict[Key, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a database shows of a view: columns of its key, and columns that are sums.

    Older ones have fewer of both.
    """

    view: str
    keys: tuple[str, ...]
    sums: tuple[str, ...]


def shapes(columns: Mapping[str, set[str]]) -> list[Shape]:
    """The views that are compared, of those that a database has: view -> names of its columns."""
    return [
        Shape(
            view,
            tuple(name for name in keys if name in columns[view]),
            tuple(name for name in COLUMNS_OF[view] if name in columns[view]),
        )
        for view, keys in VIEWS.items()
        if columns.get(view)
    ]


def expected(shape: Shape, events: Iterable[Mapping[str, Any]]) -> Rows:
    """What a view must show of events, each with ``time_ms`` beside its fields; keys as text."""
    places = [COLUMNS_OF[shape.view].index(name) for name in shape.sums]
    sums: dict[Key, list[int]] = defaultdict(lambda: [0] * len(places))
    window_ms = MINUTE_MS if shape.view == "usage_minute" else HOUR_MS
    for event in events:
        window = event["time_ms"] // window_ms * window_ms // 1000
        for said, values in contributions(shape.view, event):
            whole = {**event, **said, "window_start": window}
            row = sums[tuple(str(whole[name]) for name in shape.keys)]
            for index, place in enumerate(places):
                row[index] += values[place]
    return {key: tuple(row) for key, row in sums.items()}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison found; ``lost`` and ``doubled`` are requests, the worst of all views."""

    rows_compared: int
    lost: int
    doubled: int
    differences: tuple[str, ...]

    @property
    def exact(self) -> bool:
        """Whether everything is as it must be."""
        return not self.differences


def verdict(must: Sequence[tuple[Shape, Rows]], found: Mapping[str, Rows]) -> Verdict:
    """Hold what each view shows against what it must."""
    differences: list[str] = []
    compared = lost = doubled = 0
    for shape, rows in must:
        shown = found[shape.view]
        nothing = (0,) * len(shape.sums)
        less = more = 0
        for key in sorted(rows.keys() | shown.keys(), key=str):
            compared += 1
            wanted, had = rows.get(key, nothing), shown.get(key, nothing)
            for name, must_be, is_ in zip(shape.sums, wanted, had, strict=True):
                if must_be != is_:
                    where = ", ".join(map(str, key))
                    differences.append(
                        f"{shape.view} [{where}] {name}: must be {must_be}, is {is_}"
                    )
            if shape.view in COUNTING and shape.sums[0] == "requests":
                less += max(0, wanted[0] - had[0])
                more += max(0, had[0] - wanted[0])
        lost, doubled = max(lost, less), max(doubled, more)
    return Verdict(compared, lost, doubled, tuple(differences))
