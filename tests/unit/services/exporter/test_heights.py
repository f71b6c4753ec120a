"""Heights as bytes and back; what is not whole is found out."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.exporter.heights import Heights, from_admitted, from_bytes, to_bytes
from services.exporter.rows import REGISTER_COLUMNS, Series
from services.exporter.series import OTHER

_names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=4)
_series = st.builds(Series, _names, _names, _names)
_totals = st.tuples(*[st.integers(0, 2**70)] * len(REGISTER_COLUMNS))
_heights = st.builds(
    lambda heights, fresh, other, counts: Heights(
        [*heights, *(one for one in fresh if one not in heights)],
        heights | ({OTHER: other} if other else {}),
        counts,
    ),
    st.dictionaries(_series, _totals, max_size=4),
    st.lists(_series, max_size=2, unique=True),
    st.none() | _totals,
    st.dictionaries(
        st.lists(_names, min_size=1, max_size=2).map(tuple), st.tuples(st.integers(0, 2**70))
    ),
)
SMALL = Heights(
    [Series("eu", "p", "m"), Series("eu", "p", "new")],
    {Series("eu", "p", "m"): tuple(range(10)), OTHER: (2**64 + 1,) * 10},
    {("wattoken_events_received_total",): (5,)},
)


@given(_heights)
def test_what_was_written_is_read(heights: Heights) -> None:
    read = from_bytes(to_bytes(heights))
    assert (list(read.named), read.series, read.counts) == (
        list(heights.named),
        heights.series,
        heights.counts,
    )


@given(st.data())
def test_no_cut_and_no_changed_byte_is_taken_for_heights(data: st.DataObject) -> None:
    whole = to_bytes(SMALL)
    place = data.draw(st.integers(0, len(whole) - 2))
    with pytest.raises(ValueError):
        from_bytes(whole[:place])
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[place]))
    changed = whole[:place] + bytes([other]) + whole[place + 1 :]
    try:
        read = from_bytes(changed)
    except ValueError:
        return
    # A byte of the last line that means the same, such as a space.
    assert read == from_bytes(whole)


@pytest.mark.parametrize("text", [b"", b"\n", b"{}\n", b"7\n", b"null\n7\n"])
def test_what_is_no_such_file_is_an_error(text: bytes) -> None:
    with pytest.raises(ValueError):
        from_bytes(text)


def test_a_column_that_is_new_begins_at_0() -> None:
    lines = to_bytes(SMALL).splitlines()
    head = json.loads(lines[0])
    head["columns"] = [*head["columns"][:9], "gone"]
    lines[0] = json.dumps(head).encode()
    import hashlib

    body = b"\n".join(lines[:-1]) + b"\n"
    seal = json.dumps({"sha256": hashlib.sha256(body).hexdigest()}).encode()
    read = from_bytes(body + seal + b"\n")
    assert read.series[Series("eu", "p", "m")] == (*range(9), 0)


def test_names_of_an_earlier_version_are_taken_over() -> None:
    assert from_admitted(b'["eu", "p", "m"]\n["us", "p", "n"]\n').named == [
        Series("eu", "p", "m"),
        Series("us", "p", "n"),
    ]
    for text in (b"no json\n", b'["eu", "p"]\n', b"7\n"):
        with pytest.raises(ValueError):
            from_admitted(text)
