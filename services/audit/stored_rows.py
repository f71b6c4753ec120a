"""PURE. Rows as ClickHouse holds them, and what a row of a view is made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from services.audit.event import MEASURES, Totals
from services.audit.recount import SliceKey

Place = tuple[str, int]  # log, partition


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a log partition is metered, and its counts up to there."""

    log: str
    partition: int
    topic: str
    next_offset: int
    start_offset: int
    received: int
    accepted: int
    duplicate: int
    late: int
    rejected: dict[str, int]
    newest_event_ms: int
    last_append_ms: int


class StoredSlice(NamedTuple):
    """The newest row of a slice of one partition of the audited log."""

    partition: int
    version: int
    totals: Totals


class ViewKey(NamedTuple):
    """What a row of a public view is about; `window` in seconds, `tenant` '' where it has none.

    The last two are '' where a view has all entries in one row, and no units.
    """

    view: str
    window: int
    tenant: str
    region: str
    provider: str
    model: str
    entry: str = ""
    unit: str = ""


NAMES: Final = "region, provider, model"
#: What the views of tokens show: plain usage in the first measures, and of which entry the rest is.
SHOWN: Final = (*MEASURES[:8], "debit_tokens", "credit_tokens")


@dataclass(frozen=True, slots=True)
class Family:
    """One family of slices, its table and the view that people read."""

    name: str
    view: str
    has_window: bool
    has_tenant: bool
    #: What else keeps slices apart, besides names and entry.
    variety: tuple[str, ...] = ()
    measures: tuple[str, ...] = MEASURES
    #: What of that the view keeps apart, and what it shows.
    view_variety: tuple[str, ...] = ()
    shown: tuple[str, ...] = SHOWN

    @property
    def table(self) -> str:
        """Where its slices are."""
        return f"slices_{self.name}"

    @property
    def key(self) -> str:
        """The columns of its key, as SQL gives them: window, tenant, names."""
        window = "toUnixTimestamp(window_start)" if self.has_window else "toUInt32(0)"
        tenant = "tenant" if self.has_tenant else "''"
        return f"{window} AS w, {tenant} AS t"

    @property
    def names(self) -> str:
        """The columns that follow, of a row of the view."""
        return ", ".join([NAMES, *self.view_variety])

    def sum(self, shown: str) -> str:
        """What a column of the view sums up, as SQL."""
        if "entry" in self.view_variety:
            return f"sum(toUInt128({shown}))"
        if shown in ("debit_tokens", "credit_tokens"):
            entry = shown.removesuffix("_tokens")
            return f"sumIf(toUInt128(input_tokens) + output_tokens, entry = '{entry}')"
        return f"sumIf(toUInt128({shown}), entry = 'usage')"

    @property
    def nothing(self) -> Totals:
        """What a slice that does not exist holds."""
        return (0,) * len(self.measures)


FAMILIES: Final = (
    Family("register", "registers", has_window=False, has_tenant=False),
    Family("minute", "usage_minute", has_window=True, has_tenant=False),
    Family("hour", "usage_hour", True, True, ("service_tier", "context_band")),
    Family(
        *("unit", "usage_unit_hours", True, True, ("unit",)),
        *(("quantity",), ("entry", "unit"), ("quantity",)),
    ),
)
FAMILY_BY_VIEW: Final = {family.view: family for family in FAMILIES}


@dataclass(frozen=True, slots=True)
class Windows:
    """Which windows are looked at: half-open, in seconds; and of these only some, if named."""

    since: int
    until: int
    only: frozenset[int] | None = None

    def holds(self, family: Family, window: int) -> bool:
        """Whether a window of the family lies within; a register has none."""
        return not family.has_window or self.since <= window < self.until

    def condition(self, family: Family) -> str:
        """The SQL condition."""
        if not family.has_window:
            return "1"
        parts = [
            f"window_start >= toDateTime({self.since:d}, 'UTC')",
            f"window_start < toDateTime({self.until:d}, 'UTC')",
        ]
        if self.only is not None:
            listed = ", ".join(str(window) for window in sorted(self.only)) or "0"
            parts.append(f"toUnixTimestamp(window_start) IN ({listed})")
        return " AND ".join(parts)


def view_key(family: Family, key: SliceKey) -> ViewKey:
    """The row of the public view that a slice is part of."""
    names = (key.window, key.tenant, key.region, key.provider, key.model)
    apart = {name: getattr(key, name) for name in family.view_variety}
    return ViewKey(family.view, *names, **apart)


def view_totals(family: Family, by_entry: Iterable[tuple[str, Totals]]) -> Totals:
    """Sum slices to a row of a view: plain usage in its measures, tokens of adjustments apart."""
    sums = dict.fromkeys(family.shown, 0)
    for entry, totals in by_entry:
        told = dict(zip(family.measures, totals, strict=True))
        if entry == "usage" or "entry" in family.view_variety:
            for name in sums.keys() & told.keys():
                sums[name] += told[name]
        else:
            sums[f"{entry}_tokens"] += told["input_tokens"] + told["output_tokens"]
    return tuple(sums.values())
