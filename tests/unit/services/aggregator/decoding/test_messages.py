from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.measures import MEASURES, USUAL
from services.aggregator.arrays.key_index import Ints
from services.aggregator.arrays.narrow import widened
from services.aggregator.decoding.columns import COLUMNS, NARROW, Decoded
from services.aggregator.decoding.labels import Labels, Series
from services.aggregator.decoding.messages import (
    Column,
    columns,
    read_reply,
    read_request,
    reply,
    request,
)
from services.aggregator.decoding.record_batch import RawValues, RecordBatch
from tests.record_batches import CODECS, batch_of
from tests.unit.services.aggregator.decoding.test_columns import VALUES, decode

BATCHES = st.builds(
    lambda values, offset, codec: batch_of(values, offset, codec=codec if values else 0),
    st.lists(st.one_of(st.none(), st.binary(max_size=300)), max_size=5),
    st.integers(0, 2**40),
    st.sampled_from(sorted(CODECS)),
)
SERIES = Series("usage", "eu", "openai", "gpt-5")


@given(st.lists(st.lists(BATCHES, max_size=3), max_size=3))
def test_batches_arrive_as_they_were(requests: list[list[RecordBatch]]) -> None:
    pipe = BytesIO(b"".join(part for batches in requests for part in request(batches)))
    for batches in requests:
        found = read_request(pipe)
        assert found == batches
        assert found is not None
        assert list(RawValues(found)) == list(RawValues(batches))
    assert read_request(pipe) is None


def equal(one: Decoded, other: Decoded) -> None:
    """Assert that two decoders say the same, in the same types."""
    assert (one.count, one.failures) == (other.count, other.failures)
    for name in COLUMNS:
        column, expected = getattr(one, name), getattr(other, name)
        if name in NARROW:
            column, expected = widened(column, len(MEASURES)), widened(expected, len(MEASURES))
        assert np.array_equal(column, expected), name
        assert column.dtype == expected.dtype, name


@given(st.lists(st.sampled_from(VALUES), max_size=12))
@example([])
@example([b"{"])
@example(list(VALUES))
def test_columns_arrive_as_they_were(values: list[bytes | None]) -> None:
    sent = decode(values, Labels())
    found = read_reply(BytesIO(b"".join(reply(sent, ["acme"], [SERIES]))))
    assert found is not None
    assert (found.new_tenants, found.new_series) == (["acme"], [SERIES])
    same = np.arange(20)
    equal(columns(found, same, same), sent)


def test_numbers_of_labels_become_ours() -> None:
    sent = decode(VALUES, Labels())
    found = read_reply(BytesIO(b"".join(reply(sent, [], []))))
    assert found is not None
    tenants, series = np.array([30, 10, 20, 40]), np.array([5, 9, 7, 3, 1, 2])
    got = columns(found, tenants, series)
    assert got.tenants.tolist() == tenants[sent.tenants].tolist()
    assert got.series.tolist() == series[sent.series].tolist()


@given(
    st.integers(-(2**63), 2**63 - 1),
    st.lists(st.one_of(st.integers(0, 300), st.integers(0, 2**33)), max_size=6),
)
def test_a_column_arrives_as_it_was(least: int, above: list[int]) -> None:
    numbers = np.array([min(least + more, 2**63 - 1) for more in above], np.int64)
    found = Column.of(numbers).numbers(len(numbers))
    assert found.tolist() == numbers.tolist()
    assert found.dtype == np.int64


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=6))
def test_a_column_of_any_numbers_arrives_as_it_was(numbers: list[int]) -> None:
    sent: Ints = np.array(numbers, np.int64)
    assert Column.of(sent).numbers(len(sent)).tolist() == numbers


@pytest.mark.parametrize(
    ("numbers", "size"),
    [
        ([], 0),
        ([7], 0),
        ([7, 7, 7], 0),
        ([7, 8, 7 + 255], 3),
        ([-7, 8, -7 + 256], 6),
        ([7, 8, 7 + 65_535], 6),
        ([7, 8, 7 + 65_536], 12),
        ([7, 8, 7 + 2**32 - 1], 12),
        ([7, 8, 7 + 2**32], 24),
    ],
)
def test_a_column_is_as_narrow_as_its_numbers_allow(numbers: list[int], size: int) -> None:
    column = Column.of(np.array(numbers, np.int64))
    assert len(column.data) == size
    assert column.numbers(len(numbers)).tolist() == numbers


def test_what_is_the_usual_case_takes_no_room() -> None:
    usual = [VALUES[0]] * 4
    found = read_reply(BytesIO(b"".join(reply(decode(usual, Labels()), [], []))))
    assert found is not None
    assert (found.places, found.adjusting, found.failures) == (None, None, [])
    assert sorted(found.measures) == [0, 2, 5]
    assert (found.tiers, found.units) == (Column(0, b""), {})
    same = np.arange(4)
    told = columns(found, same, same)
    assert (told.measures.shape, told.units.shape) == ((4, USUAL), (4, 0))


def test_what_is_cut_short_is_the_end() -> None:
    whole = b"".join(request([batch_of([b"abc", b"de"]), batch_of([None])]))
    for size in range(len(whole)):
        assert read_request(BytesIO(whole[:size])) is None
    assert read_request(BytesIO(whole)) is not None
    answer = b"".join(reply(decode(VALUES, Labels()), [], []))
    for size in range(0, len(answer), 7):
        assert read_reply(BytesIO(answer[:size])) is None
