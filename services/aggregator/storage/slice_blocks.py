"""PURE: slices as rows of ClickHouse and back: blocks to insert, queries, columns read."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import numpy as np

from schemas.measures import MEASURES
from services.aggregator.arrays.key_index import Ints
from services.aggregator.core.partition import Snapshot
from services.aggregator.core.slices import (
    TotalTooLargeError,
    label_numbers,
    labels_of,
    pack,
    windows_of,
)
from services.aggregator.core.timing import epoch_ms
from services.aggregator.core.windows import Family
from services.aggregator.decoding.labels import Labels, Series
from services.aggregator.storage.native_block import NativeBlock

T = TypeVar("T", bound=Hashable)

INT64_MAX = np.iinfo(np.int64).max


def key_columns(family: Family) -> list[str]:
    """The columns of a family's table that make up the slice key within a partition."""
    window = [] if family.window_ms is None else ["window_start"]
    tenant = ["tenant"] if family.has_tenant else []
    return [*window, *tenant, "entry", "region", "provider", "model"]


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
    totals = np.concatenate([snapshot.rows[family.name].totals for snapshot in changed])
    counts = [len(snapshot.rows[family.name]) for snapshot in changed]
    block = NativeBlock(len(keys))
    if family.window_ms is not None:
        seconds = windows_of(keys) * (family.window_ms // 1000)
        block.add_numbers("window_start", "DateTime('UTC')", seconds.astype(np.uint32))
    tenants, series = labels_of(family, labels, keys)
    if tenants is not None:
        tenants, indexes = np.unique(tenants, return_inverse=True)
        names = [labels.tenants.meaning[number] for number in tenants.tolist()]
        block.add_texts("tenant", names, indexes)
    series, indexes = np.unique(series, return_inverse=True)
    meanings = [labels.series.meaning[number] for number in series.tolist()]
    for name, texts in zip(Series._fields, zip(*meanings, strict=True), strict=True):
        distinct = list(dict.fromkeys(texts))
        where = {text: index for index, text in enumerate(distinct)}
        block.add_texts(name, distinct, np.array([where[text] for text in texts])[indexes])
    block.add_texts("log", [log_name], np.zeros(len(keys), np.int64))
    partitions = np.array([snapshot.partition for snapshot in changed], np.uint32)
    block.add_numbers("partition", "UInt32", np.repeat(partitions, counts))
    versions = np.array([snapshot.checkpoint.next_offset for snapshot in changed], np.uint64)
    block.add_numbers("version", "UInt64", np.repeat(versions, counts))
    for name, column in zip(MEASURES, totals.T, strict=True):
        # The table says 0 where a column is missing.
        if column.any():
            block.add_numbers(name, "UInt64", column.astype(np.uint64))
    return block


def key_values(family: Family, keys: Ints, labels: Labels) -> dict[str, list[Any]]:
    """The columns that make up the keys, windows as seconds since 1970."""
    values: dict[str, list[Any]] = {}
    if family.window_ms is not None:
        seconds = windows_of(keys) * (family.window_ms // 1000)
        values["window_start"] = seconds.tolist()
    tenants, series = labels_of(family, labels, keys)
    if tenants is not None:
        known = labels.tenants.meaning
        values["tenant"] = [known[number] for number in tenants.tolist()]
    names = [labels.series.meaning[number] for number in series.tolist()]
    for index, column in enumerate(Series._fields):
        values[column] = [name[index] for name in names]
    return values


def select_slices(family: Family) -> str:
    """A query for a partition's slices, in the columns that `rows_of` reads."""
    # A number of seconds: as times, the driver would make an object for each row.
    window = [] if family.window_ms is None else ["toUnixTimestamp(window_start) AS seconds"]
    names = [name for name in key_columns(family) if name != "window_start"]
    columns = ", ".join([*window, *names, *MEASURES, "version"])
    return (
        f"SELECT {columns} FROM slices_{family.name} FINAL"
        " WHERE log = {log:String} AND partition = {partition:UInt32}"
    )


def rows_of(
    family: Family, columns: list[Sequence[Any]], labels: Labels
) -> tuple[Ints, Ints, Ints]:
    """Keys, totals and versions of a block, in the order of `select_slices`."""
    windows = tenants = np.zeros(len(columns[0]), np.int64)
    if family.window_ms is not None:
        windows = family.window_numbers(np.asarray(columns.pop(0), np.int64))
    if family.has_tenant:
        tenants = numbers_of(columns.pop(0), labels.tenants.number)
    names = zip(*columns[:4], strict=True)
    series = numbers_of(names, lambda one: labels.series.number(Series(*one)))
    totals = np.stack([np.asarray(column, np.uint64) for column in columns[4:-1]], axis=1)
    if totals.max(initial=0) > INT64_MAX:
        raise TotalTooLargeError(f"slices_{family.name} holds a sum above 2^63")
    return (
        pack(windows, label_numbers(family, labels, tenants, series)),
        totals.astype(np.int64),
        np.asarray(columns[-1], np.uint64).astype(np.int64),
    )


def no_slice(family: Family) -> str:
    """A query for one row in the columns of `select_slices`, of version 0."""
    window = [] if family.window_ms is None else ["toUInt32(0)"]
    texts = ["''"] if family.has_tenant else []
    texts += ["CAST('usage' AS Enum8('usage' = 0, 'debit' = 1, 'credit' = 2))"]
    texts += ["toLowCardinality('')"] * 3
    return f"SELECT {', '.join([*window, *texts, *['toUInt64(0)'] * (len(MEASURES) + 1)])}"


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


def key_type(family: Family) -> str:
    """The ClickHouse type of a list of keys of a family."""
    kinds = ["DateTime('UTC')"] if family.window_ms is not None else []
    kinds += ["String"] * (len(key_columns(family)) - len(kinds))
    return f"Array(Tuple({', '.join(kinds)}))"


def utc_ms(time: datetime) -> int:
    """Milliseconds since 1970; the driver gives UTC times without their zone."""
    return epoch_ms(time.replace(tzinfo=UTC))
