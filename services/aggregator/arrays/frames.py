"""The values of records, one after the other in one buffer, to be read all together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.aggregator.arrays.byte_spans import Buffer, Flags
from services.aggregator.arrays.key_index import Ints


@dataclass(frozen=True, slots=True)
class Frames:
    """Where in a buffer each value starts and ends. A record without a value has an empty one."""

    buffer: Buffer
    starts: Ints
    ends: Ints

    def __len__(self) -> int:
        return len(self.starts)

    def cut(self, start: int, end: int) -> Frames:
        """Those from one index to below another."""
        return Frames(self.buffer, self.starts[start:end], self.ends[start:end])

    def values(self, which: Ints) -> list[bytes]:
        """Some of the values, by their indexes."""
        data = self.buffer.data
        places = zip(self.starts[which].tolist(), self.ends[which].tolist(), strict=True)
        return [data[start:end] for start, end in places]


@dataclass(frozen=True, slots=True)
class OptionalFrames:
    """Texts that some records lack: where each stands, and whether it is there at all."""

    frames: Frames
    there: Flags

    def __len__(self) -> int:
        return len(self.frames)

    def cut(self, start: int, end: int) -> OptionalFrames:
        """Those from one index to below another."""
        return OptionalFrames(self.frames.cut(start, end), self.there[start:end])

    def values(self, which: Ints) -> list[bytes | None]:
        """Some of them, by their indexes; None for what is not there."""
        texts = self.frames.values(which)
        there = self.there[which].tolist()
        return [text if known else None for text, known in zip(texts, there, strict=True)]


def frames_of(values: Sequence[bytes | None]) -> Frames:
    """Put values into one buffer."""
    lengths = np.array([len(value or b"") for value in values], np.int64)
    ends = np.cumsum(lengths)
    return Frames(Buffer(*[value for value in values if value]), ends - lengths, ends)


def optional_frames_of(values: Sequence[bytes | None]) -> OptionalFrames:
    """The same, which tells an empty value from none."""
    there = np.array([value is not None for value in values], np.bool_)
    return OptionalFrames(frames_of(values), there)
