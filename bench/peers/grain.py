"""By which keys tokens are summed, and what tells whether two programs have the same sums.

Standard library only, as peers have environments of their own.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Grain:
    """Input and output tokens are summed by a window of event time and columns of the event."""

    name: str
    window_seconds: int
    columns: tuple[str, ...]


#: What Wattoken's minutes show without tenants.
MINUTES: Final = Grain("minute", 60, ("region", "model"))
#: As the rows of Wattoken's hours are keyed; what else is in their keys is the same for all events.
HOURS: Final = Grain("hour", 3600, ("tenant", "region", "provider", "model"))
GRAINS: Final = {grain.name: grain for grain in (MINUTES, HOURS)}

#: Fingerprints are numbers of 64 bits that overflow, as Java and ClickHouse reckon.
MASK: Final = (1 << 64) - 1
#: So that input taken for output, or the other way round, is seen.
OUTPUT_WEIGHT: Final = 3


@dataclass(frozen=True, slots=True)
class Sums:
    """How many keys there are, and their fingerprint.

    That is the sum over all keys of ``crc32(key) * (input_tokens + 3 * output_tokens)``, where a
    key is the start of the window in Unix seconds and the columns, joined by ``|``. The same in any
    order; another if a token is booked under another key.
    """

    groups: int
    fingerprint: int


#: Of what only reads.
NO_SUMS: Final = Sums(0, 0)


def summed(groups: Iterable[tuple[str, int, int]]) -> Sums:
    """The sums of (key, input tokens, output tokens), each key once."""
    count = fingerprint = 0
    for key, input_tokens, output_tokens in groups:
        count += 1
        fingerprint += zlib.crc32(key.encode()) * (input_tokens + OUTPUT_WEIGHT * output_tokens)
    return Sums(count, fingerprint & MASK)


def clickhouse_sums(grain: Grain, table: str) -> str:
    """A query of `Sums` over rows that have the grain's columns, several for a key or one."""
    key = ", '|', ".join(("toString(toUnixTimestamp(window_start))", *grain.columns))
    columns = ", ".join(("window_start", *grain.columns))
    return (
        f"SELECT uniqExact({columns}), sum(toUInt64(CRC32(concat({key})))"
        f" * toUInt64(input_tokens + {OUTPUT_WEIGHT} * output_tokens)) FROM {table}"
    )
