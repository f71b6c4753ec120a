"""What ClickHouse holds, as the audit compares it: checkpoints, rules, slices and public views."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from schemas.metering_rules import RULE_NAMES, MeteringRules, rules_of
from services.audit.admission import Admitted, SeriesName
from services.audit.event import Totals
from services.audit.recount import SliceKey
from services.audit.stored_rows import (
    NAMES,
    Checkpoint,
    Family,
    Place,
    StoredSlice,
    ViewKey,
    Windows,
)
from services.platform.clickhouse import all_rows, mapped_errors, nothing_answered

#: What stands for no value: of tenant and names, of an entry, and of a column that is no text.
NO_NAMES: Final = ("''",) * 4
ENTRY: Final = "CAST('usage', 'Enum8(\\'usage\\' = 0, \\'debit\\' = 1, \\'credit\\' = 2)')"
NUMBERS: Final = {"context_band": "toUInt32(0)"}


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
    text = f"SELECT partition, from_offset, {', '.join(RULE_NAMES)} FROM metering_rules FINAL"
    found: dict[int, list[tuple[int, MeteringRules]]] = {}
    rows = all_rows(client, f"{text} WHERE log = {{log:String}}", {"log": log})
    for partition, from_offset, *values in sorted(rows):
        found.setdefault(int(partition), []).append((from_offset, rules_of(values)))
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
    columns = ", ".join([NAMES, *family.variety, "partition", "version", *family.measures])
    text = (
        f"SELECT {family.key}, toString(entry) AS e, {columns} FROM {family.table} FINAL"
        f" WHERE log = {{log:String}} AND {windows.condition(family)}"
    )
    apart = [NUMBERS.get(name, "''") for name in family.variety]
    zeros = ["toUInt64(0)"] * (1 + len(family.measures))
    marker = ", ".join(["toUInt32(0)", *["''"] * 5, *apart, "toUInt32(0)", *zeros])
    at = 6 + len(family.variety)
    for row in _stream(client, text, f"SELECT {marker}", lambda row: row[at + 1] == 0, log=log):
        names = dict(zip(family.variety, row[6:at], strict=True))
        key = SliceKey(family.name, int(row[0]), *map(str, row[1:6]), **names)  # type: ignore[arg-type]
        yield key, StoredSlice(int(row[at]), int(row[at + 1]), tuple(map(int, row[at + 2 :])))


def read_others(
    client: Client, family: Family, log: str, windows: Windows
) -> dict[ViewKey, Totals]:
    """Sum the slices of all other logs to what the view shows of them, in `Family.shown`."""
    text = (
        f"SELECT {family.key}, {family.names}, {', '.join(map(family.sum, family.shown))}"
        f" FROM {family.table} FINAL WHERE log != {{log:String}} AND {windows.condition(family)}"
        f" GROUP BY w, t, {family.names}"
    )
    return _view_rows(client, family, text, log=log)


def read_view(client: Client, family: Family, windows: Windows) -> dict[ViewKey, Totals]:
    """Read the public view, in `Family.shown`."""
    columns = ", ".join(f"toUInt128({name})" for name in family.shown)
    text = (
        f"SELECT {family.key}, {family.names}, {columns} FROM {family.view}"
        f" WHERE {windows.condition(family)}"
    )
    return _view_rows(client, family, text)


def read_fingerprints(client: Client, family: Family, windows: Windows) -> dict[ViewKey, int]:
    """Read what changes whenever a row under a row of the view does."""
    # All of a slice's key: two of one version would take each other away.
    key = ", ".join(["log", "partition", "entry", "version", *family.variety])
    text = (
        f"SELECT {family.key}, {family.names}, groupBitXor(cityHash64({key})), count()"
        f" FROM {family.table} FINAL WHERE {windows.condition(family)}"
        f" GROUP BY w, t, {family.names}"
    )
    names = 5 + len(family.view_variety)
    answered = _marker(family, ["toUInt64(0)"] * 2)
    return {
        _view_key(family, row): hash((int(row[names]), int(row[names + 1])))
        for row in _stream(client, text, answered, lambda row: row[names + 1] == 0)
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
    answered = _marker(family, ["toUInt128(0)"] * len(family.shown))
    # Names are never empty.
    rows = _stream(client, text, answered, lambda row: row[2] == "", **parameters)
    names = 5 + len(family.view_variety)
    return {_view_key(family, row): tuple(map(int, row[names:])) for row in rows}


def _marker(family: Family, numbers: Sequence[str]) -> str:
    """A row of no view, whose names are empty."""
    names = [ENTRY if name == "entry" else "''" for name in family.view_variety]
    return f"SELECT {', '.join(['toUInt32(0)', *NO_NAMES, *names, *numbers])}"


def _view_key(family: Family, row: Sequence[Any]) -> ViewKey:
    apart = dict(zip(family.view_variety, map(str, row[5:]), strict=False))
    return ViewKey(family.view, int(row[0]), *(str(part) for part in row[1:5]), **apart)


def _stream(
    client: Client, text: str, answered: str, marked: Any, **parameters: Any
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
