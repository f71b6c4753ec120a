from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.arrays.byte_spans import Buffer, Words
from services.aggregator.arrays.frames import frames_of
from services.aggregator.arrays.key_index import Ints
from services.aggregator.decoding import phrases as module
from services.aggregator.decoding.phrases import CAPACITY_MIN, PHRASE_BYTES_MAX, Phrases, keys


def find(phrases: Phrases, texts: list[bytes]) -> list[int]:
    frames = frames_of(texts)
    found: list[int] = phrases.find(
        frames.buffer, frames.starts, frames.ends - frames.starts
    ).tolist()
    return found


def learn(phrases: Phrases, numbers: dict[bytes, int]) -> None:
    frames = frames_of(list(numbers))
    lengths = frames.ends - frames.starts
    phrases.learn(frames.buffer, frames.starts, lengths, np.array([*numbers.values()], np.int64))


#: Texts that are alike for long: of the same bytes, with zeros behind, up to the longest known.
TEXTS = st.one_of(
    st.binary(max_size=20),
    st.builds(
        lambda letter, count, tail: letter * count + tail,
        *(st.sampled_from([b"a", b"b", b"\0"]), st.sampled_from([0, 1, 7, 8, 9, 16, 200, 255])),
        st.sampled_from([b"", b"a", b"\0", b"c", b"aa"]),
    ),
)


@given(st.lists(st.lists(TEXTS, max_size=6), max_size=4), st.lists(TEXTS, max_size=6))
def test_knows_what_a_dict_would(batches: list[list[bytes]], asked: list[bytes]) -> None:
    phrases, expected = Phrases(), dict[bytes, int]()
    for batch in batches:
        new = {text: 7 * (len(expected) + number) for number, text in enumerate(batch)}
        learn(phrases, new)
        for text, number in new.items():
            if 0 < len(text) <= PHRASE_BYTES_MAX:
                expected.setdefault(text, number)
        everything = [*expected, *batch, *asked]
        assert find(phrases, everything) == [expected.get(text, -1) for text in everything]
        assert len(phrases) == len(expected)


def test_grows_in_number_and_length() -> None:
    phrases = Phrases()
    texts = [f"phrase {number}".encode() * (1 + number // 40) for number in range(5 * CAPACITY_MIN)]
    texts = [text[:PHRASE_BYTES_MAX] for text in texts]
    for number, text in enumerate(texts[:CAPACITY_MIN]):
        learn(phrases, {text: number})
    learn(phrases, {text: number for number, text in enumerate(texts)})
    assert find(phrases, texts) == list(range(len(texts)))
    assert find(phrases, [text[:-1] + b"!" for text in texts]) == [-1] * len(texts)


@pytest.mark.parametrize("length", [0, PHRASE_BYTES_MAX + 1])
def test_is_never_known(length: int) -> None:
    phrases = Phrases()
    learn(phrases, {b"x" * length: 1})
    assert len(phrases) == 0
    learn(phrases, {b"x": 1})
    learn(phrases, {b"x" * length: 1})
    assert find(phrases, [b"x" * length, b"x", b""]) == [-1, 1, -1]


def test_the_first_number_stays() -> None:
    phrases = Phrases()
    learn(phrases, {b"text": 1})
    learn(phrases, {b"text": 2})
    assert find(phrases, [b"text"]) == [1]
    assert len(phrases) == 1


def test_nothing_is_known_at_first_and_nothing_found_among_nothing() -> None:
    phrases = Phrases()
    assert find(phrases, [b"a", b""]) == [-1, -1]
    assert find(phrases, []) == []
    learn(phrases, {b"a": 0})
    assert find(phrases, []) == []


def test_spans_that_mean_nothing_are_not_known_and_do_no_harm() -> None:
    phrases = Phrases()
    learn(phrases, {b"text": 5})
    buffer = Buffer(b"a text and more")
    starts, lengths = np.array([2, 2, 2, 14, 2, 2]), np.array([4, -1, 3, 4, 10**9, 5])
    assert phrases.find(buffer, starts, lengths).tolist() == [5, -1, -1, -1, -1, -1]


def test_a_key_alone_makes_no_text_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def same_key(words: Words, lengths: Ints) -> Ints:
        return np.full(len(words), 7)

    monkeypatch.setattr(module, "keys", same_key)
    phrases = Phrases()
    learn(phrases, {b"a text of some words": 1})
    learn(phrases, {b"a text of some other": 2})
    others = [b"a text of some other", b"a text of some word", b"b text of some words", b"a"]
    assert find(phrases, [b"a text of some words", *others]) == [1, -1, -1, -1, -1]
    assert find(phrases, [b"a text of some words" + bytes(4)]) == [-1]
    assert find(phrases, [b"a text of some words and more than these"]) == [-1]
    assert len(phrases) == 1


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=8), st.integers(0, 3))
def test_a_key_depends_on_the_text_alone(texts: list[bytes], more: int) -> None:
    lengths = np.array([len(text) for text in texts])
    count = -(-int(lengths.max()) // 8)

    def rows(words: int) -> Words:
        return np.array(
            [np.frombuffer(text.ljust(8 * words, b"\0"), "<u8") for text in texts], np.uint64
        )

    together = keys(rows(count + more), lengths)
    assert (together >= 0).all()
    assert together.tolist() == keys(rows(count), lengths).tolist()
    assert len(set(together.tolist())) == len(set(texts))


def test_texts_of_one_byte_and_of_the_most_are_known() -> None:
    for length in (1, PHRASE_BYTES_MAX):
        phrases, buffer = Phrases(), Buffer(b"x" * length)
        place = np.array([0]), np.array([length])
        phrases.learn(buffer, *place, np.array([7]))
        assert phrases.find(buffer, *place).tolist() == [7]
