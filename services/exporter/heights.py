"""PURE. The heights that counters were shown at, as text and back.

One line of JSON a label set or event count, in the order of admission; a first line that names the
columns, a last one that seals the rest, so that a file that was cut short or damaged is found out
and never taken for lower, or higher, heights.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from services.exporter.families import CountKey
from services.exporter.rows import REGISTER_COLUMNS, Series, Totals

FORMAT: Final = 1
#: Ten times as fast as `json`, which reads it again: that knows integers of any size.
_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Heights:
    """What was shown: label sets with a name, in the order of admission, and the heights of all.

    A label set that has a name may have no height yet; "other" may have a height and has no name,
    and so has a label set that lost its name to a lower limit.
    """

    named: Sequence[Series] = ()
    series: Mapping[Series, Totals] = field(default_factory=dict)
    counts: Mapping[CountKey, tuple[int, ...]] = field(default_factory=dict)


def to_bytes(heights: Heights) -> bytes:
    """Write the heights down."""
    body = b"".join(b"%b\n" % _encode(line) for line in _lines(heights))
    return b"%b%b\n" % (body, _encode(_seal(body)))


def from_bytes(text: bytes) -> Heights:
    """Read what `to_bytes` wrote, of this version or an earlier one with fewer columns.

    Raises `ValueError` with what is wrong.
    """
    body, end, last = text.removesuffix(b"\n").rpartition(b"\n")
    body += end
    if not body or json.loads(last) != _seal(body):
        raise ValueError("it was cut short or damaged: its last line does not seal it")
    head, *lines = map(json.loads, body.splitlines())
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise ValueError(f"it is not of format {FORMAT}")
    columns: list[str] = head["columns"]
    named: list[Series] = []
    series: dict[Series, Totals] = {}
    counts: dict[CountKey, tuple[int, ...]] = {}
    for kind, labels, values in lines:
        if kind == "count":
            counts[tuple(labels)] = tuple(values)
            continue
        one = Series(*labels)
        if kind == "named":
            named.append(one)
        if values is not None:
            told = dict(zip(columns, values, strict=True))
            series[one] = tuple(told.get(column, 0) for column in REGISTER_COLUMNS)
    return Heights(named, series, counts)


def from_admitted(text: bytes) -> Heights:
    """Read the file of a version that remembered names only. Raises `ValueError`."""
    try:
        return Heights([Series(*json.loads(line)) for line in text.splitlines()])
    except TypeError as error:
        raise ValueError(str(error)) from None


def _lines(heights: Heights) -> Iterator[Any]:
    yield {"format": FORMAT, "columns": REGISTER_COLUMNS}
    for series in heights.named:
        yield "named", series, heights.series.get(series)
    names = set(heights.named)
    for series, totals in heights.series.items():
        if series not in names:
            yield "sum", series, totals
    for key, values in heights.counts.items():
        yield "count", key, values


def _seal(body: bytes) -> dict[str, str]:
    return {"sha256": hashlib.sha256(body).hexdigest()}
