"""PURE. Numbers of what one stretch of text says, or several together, many events at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from services.aggregator.arrays.byte_spans import Buffer
from services.aggregator.arrays.key_index import Ints, KeyIndex
from services.aggregator.decoding.found import Spans
from services.aggregator.decoding.phrases import PHRASE_BYTES_MAX, Phrases

#: A pair is a number, this many bits up, and another.
PAIR_BITS: Final = 31


class LabelTexts:
    """Texts in so many stretches, and the number of what they say together."""

    def __init__(self, stretches: int) -> None:
        self._phrases = [Phrases() for _ in range(stretches)]
        #: Of several stretches: each text's own number, and pair by pair those of all together.
        self._texts: list[dict[bytes, int]] = [{} for _ in range(stretches)]
        self._pairs = [KeyIndex() for _ in range(stretches - 1)]
        self._numbers: Ints = np.zeros(0, np.int64)

    def __len__(self) -> int:
        """How many texts are known, whatever they say together."""
        return sum(len(phrases) for phrases in self._phrases)

    def find(self, buffer: Buffer, stretches: Sequence[Spans]) -> Ints:
        """The number of what each event says, -1 where it is not known."""
        each = [
            phrases.find(buffer, *spans)
            for phrases, spans in zip(self._phrases, stretches, strict=True)
        ]
        if not self._pairs:
            return each[0]
        together = self._together(each)
        if not len(self._numbers):
            return together
        return np.where(together >= 0, self._numbers[together], -1)

    def learn(self, buffer: Buffer, stretches: Sequence[Spans], numbers: Ints) -> None:
        """Know from now on that events which say this have these numbers.

        Not where one of the texts is longer than any that is known.
        """
        if not self._pairs:
            self._phrases[0].learn(buffer, *stretches[0], numbers)
            return
        fits = np.flatnonzero(
            np.all([lengths <= PHRASE_BYTES_MAX for _, lengths in stretches], axis=0)
        )
        stretches = [(starts[fits], lengths[fits]) for starts, lengths in stretches]
        numbers = numbers[fits]
        each = []
        for phrases, texts, (starts, lengths) in zip(
            self._phrases, self._texts, stretches, strict=True
        ):
            own = np.array(
                [
                    texts.setdefault(buffer.data[start : start + length], len(texts))
                    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True)
                ],
                np.int64,
            )
            phrases.learn(buffer, starts, lengths, own)
            each.append(own)
        together = each[0]
        for index, more in zip(self._pairs, each[1:], strict=True):
            pairs = (together << PAIR_BITS) | more
            new = np.unique(pairs[index.find(pairs) < 0])
            index.add(new)
            together = index.find(pairs)
        known = np.zeros(len(self._pairs[-1]), np.int64)
        known[: len(self._numbers)] = self._numbers
        known[together] = numbers
        self._numbers = known

    def _together(self, each: Sequence[Ints]) -> Ints:
        """The place of each pair of pairs; -1 where a text or the pair is not known."""
        together = each[0]
        for index, more in zip(self._pairs, each[1:], strict=True):
            both = (together >= 0) & (more >= 0)
            pairs = (np.where(both, together, 0) << PAIR_BITS) | np.where(both, more, 0)
            together = np.where(both, index.find(pairs), -1)
        return together
