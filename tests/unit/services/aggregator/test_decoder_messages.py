from __future__ import annotations

from io import BytesIO

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.core.decoding import decode
from services.aggregator.core.labels import Labels
from services.aggregator.decoder_messages import columns, read_reply, read_request, reply, request
from tests.unit.services.aggregator.core.test_decoding import VALUES


@given(st.lists(st.lists(st.one_of(st.none(), st.binary(max_size=300)), max_size=5), max_size=3))
def test_values_arrive_as_they_were(batches: list[list[bytes | None]]) -> None:
    pipe = BytesIO(b"".join(part for batch in batches for part in request(batch)))
    for batch in batches:
        assert read_request(pipe) == [value or b"" for value in batch]
    assert read_request(pipe) is None


@given(st.lists(st.sampled_from(VALUES), max_size=12))
def test_columns_arrive_as_they_were(values: list[bytes | None]) -> None:
    sent = decode(values, Labels())
    found = read_reply(BytesIO(b"".join(reply(sent, ["acme"], []))))
    assert found is not None
    assert (found.new_tenants, found.new_series) == (["acme"], [])
    same = np.arange(10)
    got = columns(found, same, same)
    assert (got.count, got.identities, got.failures) == (
        sent.count,
        sent.identities,
        sent.failures,
    )
    for name in ("places", "time_us", "tenants", "series", "measures", "adjusting"):
        assert np.array_equal(getattr(got, name), getattr(sent, name)), name


def test_what_is_cut_short_is_the_end() -> None:
    whole = b"".join(request([b"abc", b"de"]))
    for size in range(len(whole)):
        assert read_request(BytesIO(whole[:size])) is None
    answer = b"".join(reply(decode(VALUES, Labels()), [], []))
    for size in range(0, len(answer), 7):
        assert read_reply(BytesIO(answer[:size])) is None
