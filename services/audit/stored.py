"""What ClickHouse holds, as the audit compares it: checkpoints, rules, slices and public views."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, NamedTuple

from clickhouse_connect.driver.client import Client

from schemas.metering_rules import MeteringRules
from services.audit.admission import Admitted, SeriesName
from services.audit.event import MEASURES, Totals
from services.audit.recount import SliceKey
from services.platform.clickhouse import all_rows, mapped_errors, nothing_answered

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
    """What a row of a public view is about; `window` in seconds, `tenant` '' where it has none."""

    view: str
    window: int
    tenant: str
    region: str
    provider: str
    model: str


@dataclass(frozen=True, slots=True)
class Family:
    """One family of slices, its table and the view that people read."""

    name: str
    view: str
    has_window: bool
    has_tenant: bool

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


FAMILIES: Final = (
    Family("register", "registers", has_window=False, has_tenant=False),
    Family("minute", "usage_minute", has_window=True, has_tenant=False),
    Family("hour", "usage_hour", has_window=True, has_tenant=True),
)
FAMILY_BY_VIEW: Final = {family.view: family for family in FAMILIES}
#: The columns of the views, and of which entry each is.
VIEW_COLUMNS: Final = (*MEASURES, "debit_tokens", "credit_tokens")
NAMES: Final = "region, provider, model"


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


def read_checkpoints(client: Client) -> dict[Place, Checkpoint]:
    """Read the newest checkpoint of every partition of every log."""
    rows = all_rows(
        client,
        "SELECT log, partition, topic, next_offset, start_offset, received, accepted, duplicate,"
        " late, rejected, toUnixTimestamp64Milli(newest_event), toUnixTimestamp64Milli(last_append)"
        " FROM checkpoints FINAL",
        {},
    )
    return {(row[0], row[1]): Checkpoint(*row) for row in rows}


def read_beginnings(client: Client, log: str) -> dict[int, int]:
    """Read where each partition of a log was to be metered from, as `migrate` recorded it."""
    text = "SELECT partition, start_offset FROM log_partitions FINAL WHERE log = {log:String}"
    return {int(partition): int(start) for partition, start in all_rows(client, text, {"log": log})}


def read_rules(client: Client, log: str) -> dict[int, list[tuple[int, MeteringRules]]]:
    """Read the metering rules of a log by partition, each from an offset on."""
    names = [rule.name for rule in fields(MeteringRules)]
    text = f"SELECT partition, from_offset, {', '.join(names)} FROM metering_rules FINAL"
    found: dict[int, list[tuple[int, MeteringRules]]] = {}
    rows = all_rows(client, f"{text} WHERE log = {{log:String}}", {"log": log})
    for partition, from_offset, *values in sorted(rows):
        found.setdefault(int(partition), []).append((from_offset, MeteringRules(*values)))
    return found


def read_admitted(client: Client, log: str) -> dict[int, list[Admitted]]:
    """Read which series each partition of a log admitted, and with which event."""
    text = (
        "SELECT partition, toString(entry), region, provider, model, used, min(offset)"
        " FROM admitted_series WHERE log = {log:String}"
        " GROUP BY partition, entry, region, provider, model, used"
    )
    found: dict[int, list[Admitted]] = {}
    for partition, *names, used, offset in all_rows(client, text, {"log": log}):
        admitted = Admitted(SeriesName(*names), bool(used), int(offset))
        found.setdefault(int(partition), []).append(admitted)
    return found


def read_slices(
    client: Client, family: Family, log: str, windows: Windows
) -> Iterator[tuple[SliceKey, StoredSlice]]:
    """Read the newest row of each slice of one log."""
    text = (
        f"SELECT {family.key}, toString(entry) AS e, {NAMES}, partition, version,"
        f" {', '.join(MEASURES)} FROM {family.table} FINAL"
        f" WHERE log = {{log:String}} AND {windows.condition(family)}"
    )
    zeros = ", ".join(["toUInt64(0)"] * (1 + len(MEASURES)))
    answered = f"SELECT toUInt32(0), '', '', '', '', '', toUInt32(0), {zeros}"
    for row in _stream(client, text, answered, marked=lambda row: row[7] == 0, log=log):
        key = SliceKey(family.name, int(row[0]), *(str(part) for part in row[1:6]))
        yield key, StoredSlice(int(row[6]), int(row[7]), tuple(map(int, row[8:])))


def read_others(
    client: Client, family: Family, log: str, windows: Windows
) -> dict[ViewKey, Totals]:
    """Sum the slices of all other logs to what the view shows of them, in `VIEW_COLUMNS`."""
    sums = ", ".join(f"sumIf(toUInt128({name}), entry = 'usage')" for name in MEASURES)
    both = "toUInt128(input_tokens) + output_tokens"
    text = (
        f"SELECT {family.key}, {NAMES}, {sums}, sumIf({both}, entry = 'debit'),"
        f" sumIf({both}, entry = 'credit') FROM {family.table} FINAL"
        f" WHERE log != {{log:String}} AND {windows.condition(family)} GROUP BY w, t, {NAMES}"
    )
    return _view_rows(client, family, text, log=log)


def read_view(client: Client, family: Family, windows: Windows) -> dict[ViewKey, Totals]:
    """Read the public view, in `VIEW_COLUMNS`."""
    columns = ", ".join(f"toUInt128({name})" for name in VIEW_COLUMNS)
    text = (
        f"SELECT {family.key}, {NAMES}, {columns} FROM {family.view}"
        f" WHERE {windows.condition(family)}"
    )
    return _view_rows(client, family, text)


def read_fingerprints(client: Client, family: Family, windows: Windows) -> dict[ViewKey, int]:
    """Read what changes whenever a row under a row of the view does."""
    text = (
        f"SELECT {family.key}, {NAMES}, groupBitXor(cityHash64(log, partition, entry, version)),"
        f" count() FROM {family.table} FINAL WHERE {windows.condition(family)}"
        f" GROUP BY w, t, {NAMES}"
    )
    answered = "SELECT toUInt32(0), '', '', '', '', toUInt64(0), toUInt64(0)"
    return {
        _view_key(family, row): hash((int(row[5]), int(row[6])))
        for row in _stream(client, text, answered, marked=lambda row: row[6] == 0)
    }


def read_letters(client: Client, log: str, partition: int, first: int, end: int) -> dict[int, str]:
    """Read the reasons of a partition's dead letters by offset, of an offset range."""
    rows = all_rows(
        client,
        "SELECT offset, reason FROM dead_letters FINAL"
        " WHERE log = {log:String} AND partition = {partition:UInt32}"
        " AND offset >= {first:UInt64} AND offset < {end:UInt64}",
        {"log": log, "partition": partition, "first": first, "end": end},
    )
    return {int(offset): str(reason) for offset, reason in rows}


def _view_rows(
    client: Client, family: Family, text: str, **parameters: Any
) -> dict[ViewKey, Totals]:
    zeros = ", ".join(["toUInt128(0)"] * len(VIEW_COLUMNS))
    # Names are never empty.
    answered = f"SELECT toUInt32(0), '', '', '', '', {zeros}"
    rows = _stream(client, text, answered, marked=lambda row: row[2] == "", **parameters)
    return {_view_key(family, row): tuple(map(int, row[5:])) for row in rows}


def _view_key(family: Family, row: Sequence[Any]) -> ViewKey:
    return ViewKey(family.view, int(row[0]), *(str(part) for part in row[1:5]))


def _stream(
    client: Client, text: str, answered: str, *, marked: Any, **parameters: Any
) -> Iterator[Sequence[Any]]:
    """Give the rows of a query of many; an answer without the row that marks one is none."""
    seen = False
    with (
        mapped_errors(),
        client.query_rows_stream(f"{text} UNION ALL {answered}", parameters=parameters) as rows,
    ):
        for row in rows:
            if marked(row):
                seen = True
            else:
                yield row
    if not seen:
        raise nothing_answered()


def entries(key: ViewKey) -> Iterable[SliceKey]:
    """Give the slices that a row of a view is made of, one an entry."""
    family = FAMILY_BY_VIEW[key.view].name
    for entry in ("usage", "debit", "credit"):
        yield SliceKey(family, key.window, key.tenant, entry, key.region, key.provider, key.model)


def view_totals(by_entry: Iterable[tuple[str, Totals]]) -> Totals:
    """Sum slices to a row of a view: plain usage in its measures, tokens of adjustments apart."""
    sums = dict.fromkeys(VIEW_COLUMNS, 0)
    for entry, totals in by_entry:
        told = dict(zip(MEASURES, totals, strict=True))
        if entry == "usage":
            for name, amount in told.items():
                sums[name] += amount
        else:
            sums[f"{entry}_tokens"] += told["input_tokens"] + told["output_tokens"]
    return tuple(sums.values())
