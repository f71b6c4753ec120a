"""Whole columns of keys lead where Kafka's clients send each of them."""

from __future__ import annotations

from confluent_kafka import murmur2
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.arrays.frames import frames_of
from services.aggregator.arrays.murmur2 import LENGTH_MAX, partitions_of

KEYS = st.one_of(
    st.binary(max_size=20), st.binary(min_size=16, max_size=16), st.binary(max_size=LENGTH_MAX + 9)
)


@given(st.lists(KEYS, max_size=30), st.sampled_from([1, 2, 9, 10, 48, 2**20]))
def test_a_key_leads_where_librdkafka_sends_it(keys: list[bytes], count: int) -> None:
    expected = [murmur2(key, count) for key in keys]
    assert partitions_of(frames_of(keys), count, murmur2).tolist() == expected


def test_every_length_about_the_limit() -> None:
    keys = [bytes(range(200, 200 + length % 50)) * 2 for length in range(2 * LENGTH_MAX)]
    keys += [b"\xff" * length for length in range(2 * LENGTH_MAX)]
    assert partitions_of(frames_of(keys), 97, murmur2).tolist() == [
        murmur2(key, 97) for key in keys
    ]
