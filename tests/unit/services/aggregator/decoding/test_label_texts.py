from __future__ import annotations

from random import Random

import numpy as np
import pytest

from services.aggregator.arrays.byte_spans import Buffer
from services.aggregator.arrays.frames import frames_of
from services.aggregator.arrays.key_index import Ints
from services.aggregator.decoding.found import Spans
from services.aggregator.decoding.label_texts import LabelTexts

NAMES = [b"a", b"b", b"ab", b"ba", b"x" * 20, b"x" * 21]


def laid_out(rows: list[tuple[bytes, ...]]) -> tuple[Buffer, tuple[Spans, ...]]:
    """The texts of each row one behind the other, without anything between them."""
    frames = frames_of([text for row in rows for text in row])
    width = len(rows[0])
    lengths = frames.ends - frames.starts
    return frames.buffer, tuple(
        (frames.starts[number::width], lengths[number::width]) for number in range(width)
    )


@pytest.mark.parametrize("stretches", [1, 2, 3])
def test_knows_what_a_dict_would(stretches: int) -> None:
    chance = Random(stretches)
    texts, expected = LabelTexts(stretches), dict[tuple[bytes, ...], int]()
    for _ in range(40):
        rows = [tuple(chance.choices(NAMES, k=stretches)) for _ in range(chance.randrange(1, 12))]
        buffer, spans = laid_out(rows)
        found: Ints = texts.find(buffer, spans)
        assert found.tolist() == [expected.get(row, -1) for row in rows]
        for row in rows:
            expected.setdefault(row, len(expected) * 3)
        numbers = np.array([expected[row] for row in rows], np.int64)
        texts.learn(buffer, spans, numbers)
        assert texts.find(buffer, spans).tolist() == numbers.tolist()


def test_of_nothing_nothing_is_learnt() -> None:
    frames = frames_of([b"a"])
    none = np.zeros(0, np.int64)
    for stretches in (1, 2):
        texts = LabelTexts(stretches)
        texts.learn(frames.buffer, ((none, none),) * stretches, none)
        one = ((frames.starts, frames.ends - frames.starts),) * stretches
        assert texts.find(frames.buffer, one).tolist() == [-1]
