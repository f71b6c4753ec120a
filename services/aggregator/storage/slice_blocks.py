"""PURE: slices as rows of ClickHouse and back: blocks to insert, queries, columns read."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import numpy as np

from schemas.measures import USUAL
from services.aggregator.arrays.key_index import Ints
from services.aggregator.arrays.narrow import narrowed, stacked
from services.aggregator.core.partition import Snapshot
from services.aggregator.core.slice_keys import KeyColumns, pack, unpack, varieties
from services.aggregator.core.slices import TotalTooLargeError
from services.aggregator.core.timing import epoch_ms
from services.aggregator.core.windows import Family
from services.aggregator.decoding.labels import Labels, Series
from services.aggregator.storage.native_block import NativeBlock

T = TypeVar("T", bound=Hashable)

INT64_MAX = np.iinfo(np.int64).max
#: Columns of keys that hold numbers, and of which type; all others are texts.
NUMBERS: Final = {"context_band": np.dtype(np.uint32)}


def key_columns(family: Family) -> list[str]:
    """The columns of a family's table that make up the slice key within a partition."""
    window = [] if family.window_ms is None else ["window_start"]
    tenant = ["tenant"] if family.has_tenant else []
    return [*window, *tenant, *Series._fields, *family.variety_columns]


def to_time(time_ms: int) -> datetime:
    """A UTC datetime from milliseconds since 1970."""
    return datetime.fromtimestamp(time_ms / 1000, UTC)


def slice_block(
    family: Family, snapshots: Sequence[Snapshot], labels: Labels, log_name: str
) -> NativeBlock | None:
    """The dirty slices of one family, all partitions together; None where there are none."""
    changed = [snapshot for snapshot in snapshots if len(snapshot.rows[family.name])]
    if not changed:
        return None
    keys = np.concatenate([snapshot.rows[family.name].keys for snapshot in changed])
    totals = stacked([snapshot.rows[family.name].totals for snapshot in changed])
    counts = [len(snapshot.rows[family.name]) for snapshot in changed]
    block = NativeBlock(len(keys))
    add_key(block, family, unpack(family, labels, keys), labels)
    block.add_texts("log", [log_name], np.zeros(len(keys), np.int64))
    partitions = np.array([snapshot.partition for snapshot in changed], np.uint32)
    block.add_numbers("partition", "UInt32", np.repeat(partitions, counts))
    versions = np.array([snapshot.checkpoint.next_offset for snapshot in changed], np.uint64)
    block.add_numbers("version", "UInt64", np.repeat(versions, counts))
    for name, column in zip(family.measures, totals.T, strict=False):
        # The table says 0 where a column is missing.
        if column.any():
            block.add_numbers(name, "UInt64", column.astype(np.uint64))
    return block


def add_key(block: NativeBlock, family: Family, key: KeyColumns, labels: Labels) -> None:
    """Add the columns that make up the keys."""
    if family.window_ms is not None:
        seconds = key.windows * (family.window_ms // 1000)
        block.add_numbers("window_start", "DateTime('UTC')", seconds.astype(np.uint32))
    if key.tenants is not None:
        tenants, indexes = np.unique(key.tenants, return_inverse=True)
        names = [labels.tenants.meaning[number] for number in tenants.tolist()]
        block.add_texts("tenant", names, indexes)
    add_meanings(block, Series._fields, key.series, labels.series.meaning)
    if key.varieties is not None:
        known = varieties(family, labels)
        add_meanings(block, family.variety_columns, key.varieties, known.meaning)


def add_meanings(
    block: NativeBlock, names: Sequence[str], numbers: Ints, meaning: Mapping[int, tuple[Any, ...]]
) -> None:
    """Add columns of these names: what the numbers mean, which are few."""
    distinct, indexes = np.unique(numbers, return_inverse=True)
    meanings = [meaning[number] for number in distinct.tolist()]
    for name, values in zip(names, zip(*meanings, strict=True), strict=True):
        if name in NUMBERS:
            column = np.array(values, NUMBERS[name])[indexes]
            block.add_numbers(name, "UInt32", column)
        else:
            texts = list(dict.fromkeys(values))
            where = {text: index for index, text in enumerate(texts)}
            block.add_texts(name, texts, np.array([where[text] for text in values])[indexes])


def select_slices(family: Family) -> str:
    """A query for a partition's slices, in the columns that `rows_of` reads."""
    # A number of seconds: as times, the driver would make an object for each row.
    window = [] if family.window_ms is None else ["toUnixTimestamp(window_start) AS seconds"]
    names = [name for name in key_columns(family) if name != "window_start"]
    columns = ", ".join([*window, *names, *family.measures, "version"])
    return (
        f"SELECT {columns} FROM slices_{family.name} FINAL"
        " WHERE log = {log:String} AND partition = {partition:UInt32}"
    )


def rows_of(
    family: Family, columns: list[Sequence[Any]], labels: Labels
) -> tuple[Ints, Ints, Ints]:
    """Keys, totals and versions of a block, in the order of `select_slices`."""
    windows = tenants = kinds = np.zeros(len(columns[0]), np.int64)
    if family.window_ms is not None:
        windows = family.window_numbers(np.asarray(columns.pop(0), np.int64))
    if family.has_tenant:
        tenants = numbers_of(columns.pop(0), labels.tenants.number)
    names = zip(*columns[: len(Series._fields)], strict=True)
    series = numbers_of(names, lambda one: labels.series.number(Series(*one)))
    del columns[: len(Series._fields)]
    if family.variety is not None:
        number, make = varieties(family, labels).number, family.variety._make
        kinds = numbers_of(variety_rows(family, columns), lambda one: number(make(one)))
    *measures, versions = columns
    totals = np.stack([np.asarray(column, np.uint64) for column in measures], axis=1)
    if totals.max(initial=0) > INT64_MAX:
        raise TotalTooLargeError(f"slices_{family.name} holds a sum above 2^63")
    return (
        pack(family, labels, windows, tenants, series, kinds),
        narrowed(totals.astype(np.int64), USUAL),
        np.asarray(versions, np.uint64).astype(np.int64),
    )


def variety_rows(family: Family, columns: list[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Take the columns that tell varieties apart, the first of some: a row each."""
    width = len(family.variety_columns)
    # Numbers come as an array, whose entries would be neither small nor quick as parts of keys.
    taken = [
        np.asarray(column).tolist() if name in NUMBERS else column
        for name, column in zip(family.variety_columns, columns[:width], strict=True)
    ]
    del columns[:width]
    return list(zip(*taken, strict=True))


def no_slice(family: Family) -> str:
    """A query for one row in the columns of `select_slices`, of version 0."""
    window = [] if family.window_ms is None else ["toUInt32(0)"]
    texts = ["''"] if family.has_tenant else []
    texts += ["CAST('usage' AS Enum8('usage' = 0, 'debit' = 1, 'credit' = 2))"]
    texts += ["toLowCardinality('')"] * 3
    texts += [
        "toUInt32(0)" if name in NUMBERS else "toLowCardinality('')"
        for name in family.variety_columns
    ]
    zeros = ["toUInt64(0)"] * (len(family.measures) + 1)
    return f"SELECT {', '.join([*window, *texts, *zeros])}"


def numbers_of(things: Iterable[T], number: Callable[[T], int]) -> Ints:
    """The number of each thing; each distinct thing is numbered once."""
    known: dict[T, int] = {}
    found: list[int] = []
    for thing in things:
        if (at := known.get(thing)) is None:
            at = known[thing] = number(thing)
        found.append(at)
    return np.array(found, np.int64)


def from_window(family: Family) -> str:
    """A condition on the first window, where the family has windows."""
    if family.window_ms is None:
        return ""
    return " AND window_start >= {from_time:DateTime('UTC')}"


def key_block(family: Family, keys: Ints, labels: Labels) -> NativeBlock:
    """Keys of a family as the columns that make them up."""
    block = NativeBlock(len(keys))
    add_key(block, family, unpack(family, labels, keys), labels)
    return block


def key_types(family: Family) -> list[str]:
    """The columns that make up a family's keys with the types that its table has."""
    special = {
        "window_start": "DateTime('UTC')",
        "tenant": "String",
        "entry": "Enum8('usage' = 0, 'debit' = 1, 'credit' = 2)",
        **dict.fromkeys(NUMBERS, "UInt32"),
    }
    columns = key_columns(family)
    return [f"{name} {special.get(name, 'LowCardinality(String)')}" for name in columns]


def utc_ms(time: datetime) -> int:
    """Milliseconds since 1970; the driver gives UTC times without their zone."""
    return epoch_ms(time.replace(tzinfo=UTC))
