"""Slices as rows and back: what is written is what is read, and nothing is taken for another."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pytest

from schemas.measures import MEASURES, USUAL
from schemas.metering_rules import HOUR_MS, MINUTE_MS
from schemas.price_class import PLAIN, PriceClass
from services.aggregator.arrays.key_index import Ints
from services.aggregator.core.partition import Checkpoint, Snapshot
from services.aggregator.core.slice_keys import pack, varieties
from services.aggregator.core.slices import SliceRows, TotalTooLargeError
from services.aggregator.core.windows import FAMILIES, HOUR, MINUTE, REGISTER, UNIT, Family
from services.aggregator.decoding.labels import Labels, Series, Unit
from services.aggregator.storage.slice_blocks import (
    from_window,
    key_block,
    key_columns,
    key_types,
    no_slice,
    numbers_of,
    rows_of,
    select_slices,
    slice_block,
    to_time,
    utc_ms,
)
from tests.native_reader import read_native

LOG_NAME: Final = "cluster/topic-id"
NOON_MS: Final = 1_773_576_000_000  # 2026-03-15T12:00:00Z
#: Two that share all names but one, twice: none may be taken for another.
SERIES: Final = (
    Series("usage", "eu", "openai", "gpt"),
    Series("credit", "eu", "openai", "gpt"),
    Series("usage", "us", "gpt", "openai"),
)
TENANTS: Final = ("acme", "zeta")
#: Columns of keys, as tables have them.
TEXT: Final = "LowCardinality(String)"
WINDOW: Final = "window_start DateTime('UTC')"
LABELS: Final = (
    "entry Enum8('usage' = 0, 'debit' = 1, 'credit' = 2)",
    *(f"{name} {TEXT}" for name in ("region", "provider", "model")),
)
#: Likewise.
VARIETIES: Final[dict[str, list[Any]]] = {
    HOUR.name: [
        *(PriceClass("batch", 0), PriceClass("batch", 2**32 - 1), PriceClass("flex", 0), PLAIN),
        PriceClass("of a later release", 5),
    ],
    UNIT.name: [Unit("images"), Unit("pages"), Unit("of a later release")],
}


@pytest.fixture
def labels() -> Labels:
    labels = Labels()
    # Numbers that are no places, so that one taken for the other is seen.
    for number in range(5):
        labels.series.number(Series("usage", "r", "p", f"other-{number}"))
        labels.tenants.number(f"other-{number}")
    return labels


def keys_of(
    labels: Labels, family: Family, *slices: tuple[int, str, Series], last: bool = False
) -> Ints:
    """The keys of slices that are given as time, tenant and series, of one variety each."""
    known = VARIETIES.get(family.name, [])
    kinds = [varieties(family, labels).number(one) for one in known] or [0]
    kind = np.array([kinds[-1 if last else at % len(kinds)] for at in range(len(slices))], np.int64)
    windows = np.array([family.window_number(time_ms) for time_ms, _, _ in slices], np.int64)
    tenants = np.array([labels.tenants.number(tenant) for _, tenant, _ in slices], np.int64)
    series = np.array([labels.series.number(one) for _, _, one in slices], np.int64)
    return pack(family, labels, windows, tenants, series, kind)


def ones(family: Family, rows: int) -> Ints:
    return np.ones((rows, len(family.measures)), np.int64)


def snapshot(partition: int, next_offset: int, family: Family, rows: SliceRows) -> Snapshot:
    nothing = SliceRows(np.empty(0, np.int64), np.empty((0, len(MEASURES)), np.int64))
    held = {one.name: rows if one == family else nothing for one in FAMILIES}
    return Snapshot(partition, held, [], Checkpoint(next_offset, 0), 0)


def written(family: Family, snapshots: Sequence[Snapshot], labels: Labels) -> list[dict[str, Any]]:
    block = slice_block(family, snapshots, labels, LOG_NAME)
    assert block is not None
    return read_native(block.data())


def selected(query: str) -> list[str]:
    """The columns that a query names, each by what its value is made of."""
    found = re.match(r"SELECT (.*?)( FROM |$)", query)
    assert found is not None
    columns = re.split(r", (?![^(]*\))", found[1])
    return [re.sub(r"toUnixTimestamp\((\w+)\) AS seconds", r"\1", one) for one in columns]


def answer(family: Family, rows: Sequence[dict[str, Any]]) -> list[Sequence[Any]]:
    """What ClickHouse answers `select_slices` with where these rows are stored."""
    return [[row.get(name, 0) for row in rows] for name in selected(select_slices(family))]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_what_was_written_is_read_back(family: Family, labels: Labels) -> None:
    # Noon, a minute and an hour later; each family has windows that another has not.
    slices = [
        (NOON_MS + after_ms, tenant, series)
        for after_ms in (0, MINUTE_MS, HOUR_MS)
        for tenant in TENANTS
        for series in SERIES
    ]
    keys = np.unique(keys_of(labels, family, *slices))
    totals = 1 + np.arange(len(keys) * len(family.measures)).reshape(len(keys), -1) * 10**9
    first, second = SliceRows(keys[:2], totals[:2]), SliceRows(keys[2:], totals[2:])
    rows = written(
        family, [snapshot(0, 70, family, first), snapshot(3, 2**40, family, second)], labels
    )
    assert [row["partition"] for row in rows] == [0] * 2 + [3] * (len(keys) - 2)
    assert {row["log"] for row in rows} == {LOG_NAME}
    found_keys, found_totals, versions = rows_of(family, answer(family, rows), labels)
    assert found_keys.tolist() == keys.tolist()
    assert found_totals.tolist() == totals.tolist()
    assert versions.tolist() == [70] * 2 + [2**40] * (len(keys) - 2)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_another_worker_finds_the_same_slices_by_numbers_of_its_own(
    family: Family, labels: Labels
) -> None:
    slices = [(NOON_MS, "zeta", SERIES[1]), (NOON_MS + HOUR_MS, "acme", SERIES[2])]
    rows = SliceRows(keys_of(labels, family, *slices, last=True), ones(family, 2))
    found = written(family, [snapshot(0, 1, family, rows)], labels)
    other = Labels()
    keys, _, _ = rows_of(family, answer(family, found), other)
    assert keys.tolist() == keys_of(other, family, *slices, last=True).tolist()
    assert other.series.number(SERIES[1]) != labels.series.number(SERIES[1])


def test_a_window_is_written_as_its_start_and_a_register_has_none(labels: Labels) -> None:
    late = (NOON_MS + HOUR_MS - 1, "acme", SERIES[0])
    starts = {}
    for family in FAMILIES:
        rows = SliceRows(keys_of(labels, family, late), ones(family, 1))
        (row,) = written(family, [snapshot(0, 1, family, rows)], labels)
        others = {"log", "partition", "version", *family.measures}
        assert [name for name in row if name not in others] == key_columns(family)
        starts[family] = row.get("window_start")
    noon = NOON_MS // 1000
    assert starts == {REGISTER: None, MINUTE: noon + 59 * 60, HOUR: noon, UNIT: noon}


def test_a_measure_that_is_nowhere_is_not_written(labels: Labels) -> None:
    keys = keys_of(labels, REGISTER, *[(0, "", series) for series in SERIES])
    totals = np.zeros((3, len(MEASURES)), np.int64)
    totals[1, 2] = 2**63 - 1
    rows = written(REGISTER, [snapshot(0, 1, REGISTER, SliceRows(keys, totals))], labels)
    assert [row["input_tokens"] for row in rows] == [0, 2**63 - 1, 0]
    assert set(MEASURES) & set(rows[0]) == {"input_tokens"}


def test_measures_that_one_partition_has_and_another_has_not(labels: Labels) -> None:
    first, second = keys_of(labels, REGISTER, (0, "", SERIES[0]), (0, "", SERIES[1]))
    narrow = SliceRows(np.array([first]), np.ones((1, USUAL), np.int64))
    whole = SliceRows(np.array([second]), ones(REGISTER, 1))
    rows = written(
        REGISTER, [snapshot(0, 1, REGISTER, narrow), snapshot(1, 1, REGISTER, whole)], labels
    )
    assert [row["image_output_tokens"] for row in rows] == [0, 1]
    assert [row["requests"] for row in rows] == [1, 1]


def test_where_nothing_changed_there_is_no_block(labels: Labels) -> None:
    keys = keys_of(labels, REGISTER, (0, "", SERIES[0]))
    rows = SliceRows(keys, np.ones((1, len(MEASURES)), np.int64))
    changed = snapshot(0, 1, REGISTER, rows)
    assert slice_block(MINUTE, [changed], labels, LOG_NAME) is None
    assert slice_block(REGISTER, [], labels, LOG_NAME) is None
    assert slice_block(REGISTER, [changed], labels, LOG_NAME) is not None


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_key_is_asked_for_by_what_it_is_stored_as(family: Family, labels: Labels) -> None:
    slices = [(NOON_MS, "zeta", SERIES[1]), (NOON_MS + HOUR_MS, "acme", SERIES[2])]
    keys = keys_of(labels, family, *slices)
    rows = SliceRows(keys, ones(family, 2))
    stored = written(family, [snapshot(0, 1, family, rows)], labels)
    asked = read_native(key_block(family, keys, labels).data())
    assert [list(row) for row in asked] == [key_columns(family)] * 2
    assert asked == [{name: row[name] for name in key_columns(family)} for row in stored]


@pytest.mark.parametrize(
    ("family", "kinds"),
    [
        (REGISTER, [*LABELS]),
        (MINUTE, [WINDOW, *LABELS]),
        (
            HOUR,
            [WINDOW, "tenant String", *LABELS, f"service_tier {TEXT}", "context_band UInt32"],
        ),
        (UNIT, [WINDOW, "tenant String", *LABELS, f"unit {TEXT}"]),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_keys_are_sent_in_the_types_of_the_table(family: Family, kinds: list[str]) -> None:
    assert key_types(family) == kinds
    assert [kind.split()[0] for kind in kinds] == key_columns(family)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_the_row_that_marks_an_answer_fits_the_others(family: Family) -> None:
    # They are put together by UNION ALL, by place alone.
    names, values = selected(select_slices(family)), selected(no_slice(family))
    assert len(values) == len(names)
    for name, value in zip(names, values, strict=True):
        numbers = {"window_start", "context_band", *family.measures, "version"}
        assert ("UInt" in value) == (name in numbers), name


def test_only_a_family_with_windows_is_read_from_a_window_on() -> None:
    assert from_window(REGISTER) == ""
    for family in (MINUTE, HOUR, UNIT):
        # It is added to a condition that is there already.
        assert from_window(family).startswith(" AND window_start >= {from_time:")


@pytest.mark.parametrize("measure", range(len(MEASURES)))
def test_a_sum_that_does_not_fit_is_refused_instead_of_turning_negative(
    measure: int, labels: Labels
) -> None:
    row = dict(SERIES[0]._asdict(), version=1)
    at_most = answer(REGISTER, [row | {MEASURES[measure]: 2**63 - 1}])
    assert rows_of(REGISTER, at_most, labels)[1][0, measure] == 2**63 - 1
    with pytest.raises(TotalTooLargeError, match="slices_register"):
        rows_of(REGISTER, answer(REGISTER, [row | {MEASURES[measure]: 2**63}]), labels)


def test_an_answer_without_rows_is_no_slices(labels: Labels) -> None:
    keys, totals, versions = rows_of(HOUR, answer(HOUR, []), labels)
    assert (len(keys), totals.shape, len(versions)) == (0, (0, USUAL), 0)
    assert keys.dtype == totals.dtype == versions.dtype == np.dtype(np.int64)


def test_each_distinct_name_is_numbered_once() -> None:
    asked: list[str] = []

    def number(name: str) -> int:
        asked.append(name)
        return 7 * len(asked) - 7

    assert numbers_of(["a", "b", "a", "c", "a"], number).tolist() == [0, 7, 0, 14, 0]
    assert asked == ["a", "b", "c"], "also the one whose number is 0"


@pytest.mark.parametrize("time_ms", [0, 1, NOON_MS + 999, 4_102_444_799_999])
def test_times_go_there_and_come_back_without_their_zone(time_ms: int) -> None:
    time = to_time(time_ms)
    assert time.tzinfo is UTC
    assert utc_ms(time) == utc_ms(time.replace(tzinfo=None)) == time_ms


def test_a_time_is_that_of_utc_wherever_the_worker_runs() -> None:
    assert to_time(NOON_MS + 5) == datetime(2026, 3, 15, 12, 0, 0, 5000, tzinfo=UTC)
