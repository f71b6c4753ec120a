"""What cannot be read costs nothing where nobody reads it, and only itself where somebody does."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.errors import MalformedError, TooLargeError
from services.ingest.salvage import DEPTH_READ_MAX, salvaged, split
from services.ingest.unreadable import UNREADABLE
from tests.versions.effort import examples

BROKEN = [
    b'"\\ud83d"',
    b'"\\udc00\\ud83d"',
    b'"cut \xe2\x82"',
    b'"\xff"',
    b'"line\nbreak"',
    b'"\\x41"',
    b"NaN",
    b"-Infinity",
    b"[" * 5000 + b"]" * 5000,
    b'{"a":' * 300 + b"1" + b"}" * 300,
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@pytest.mark.parametrize("broken", BROKEN, ids=range(len(BROKEN)))
def test_what_is_broken_is_replaced_and_the_rest_stays(broken: bytes) -> None:
    text = b'{"a": 1, "b": ' + broken + b', "c": ["x\\"]", "\xc3\xa9"]}'
    found: dict[str, Any] = msgspec.json.decode(salvaged(text))
    assert (found["a"], found["c"]) == (1, ['x"]', "é"])
    assert UNREADABLE in json.dumps(found["b"])


def test_a_name_that_cannot_be_read_is_replaced_too() -> None:
    assert msgspec.json.decode(salvaged(b'{"\\ud83d": 1}')) == {UNREADABLE: 1}


@given(value=VALUES)
@settings(max_examples=examples(200), deadline=None)
def test_sound_texts_stay_as_they_are(value: Any) -> None:
    for text in (json.dumps(value).encode(), msgspec.json.encode(value)):
        assert salvaged(text) is text


def test_as_deep_as_rules_read_nothing_is_cut() -> None:
    text = b"[" * DEPTH_READ_MAX + b"]" * DEPTH_READ_MAX
    assert salvaged(text) is text


@given(elements=st.lists(VALUES, max_size=5))
@settings(max_examples=examples(200), deadline=None)
def test_an_array_is_split_as_a_parser_splits_it(elements: list[Any]) -> None:
    body = json.dumps(elements).encode()
    assert [json.loads(text) for text in split(body, 5)] == elements


def test_elements_need_not_be_sound() -> None:
    body = b'[{"a": 01}, {"b": NaN}, {"c": "\\ud83d,]"}, {"d": [1,2,{}]}]'
    assert split(body, 9) == [
        b'{"a": 01}',
        b' {"b": NaN}',
        b' {"c": "\\ud83d,]"}',
        b' {"d": [1,2,{}]}',
    ]


@pytest.mark.parametrize("body", [b"[", b"[1", b"[1}", b"[{]", b"[1] 2", b"[1,,2]", b"[1,]"])
def test_brackets_that_do_not_match_are_malformed(body: bytes) -> None:
    with pytest.raises(MalformedError):
        split(body, 9)


def test_too_many_elements_and_parts_are_refused_early() -> None:
    with pytest.raises(TooLargeError):
        split(b"[" + b"1," * 1_000_000 + b"1]", 5)
    with pytest.raises(TooLargeError):
        split(b"[[" + b'"",' * 4_000_000 + b"1]]", 5)
