"""Request traces: CSV files of TIMESTAMP, ContextTokens, GeneratedTokens, read as emissions.

A file is read twice: `survey` checks every row before anything is sent and finds the trace's
last moment, `emissions` then streams the rows with their clock moved. Memory does not grow.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from schemas.event_rules import NAME_LENGTH_MAX, TOKENS_MAX
from services.simulator.errors import TraceError
from services.simulator.fleet import Emission
from services.simulator.reading import EPOCH, METERED, Reading

COLUMNS: Final = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
SOURCE: Final = "trace-replay"
CONTENT_HASH_LENGTH: Final = 16


class TraceRow(NamedTuple):
    """One request of a trace; `time_us` in microseconds since 1970, UTC."""

    time_us: int
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Survey:
    """What a whole trace file is: its rows, its span, its content's hash and its totals."""

    path: Path
    content_hash: str
    rows: int
    first_us: int
    last_us: int
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Labels:
    """What the trace does not say and its events must."""

    tenant: str
    region: str
    provider: str
    model: str


def survey(path: Path) -> Survey:
    """Read the whole file; raises `TraceError` at the first row that is wrong."""
    rows = input_tokens = output_tokens = 0
    first_us = last_us = 0
    for row in read_rows(path):
        first_us = min(first_us, row.time_us) if rows else row.time_us
        last_us = max(last_us, row.time_us) if rows else row.time_us
        rows += 1
        input_tokens += row.input_tokens
        output_tokens += row.output_tokens
    if rows == 0:
        raise TraceError(f"{path} has no rows below its header")
    content_hash = _content_hash(path)
    return Survey(path, content_hash, rows, first_us, last_us, input_tokens, output_tokens)


def emissions(
    survey: Survey, labels: Labels, run_id: str, end_ms: int, start_ms: int, speed: float | None
) -> Iterator[Emission]:
    """Stream the trace's events, the last of which happened at ``end_ms``; gaps stay as they are.

    Ids come from the file's content, ``run_id`` and the row, so a replay with the same three is
    all resends. With a ``speed``, rows are due that many times faster than they happened, from
    ``start_ms`` on.
    """
    prefix = f"{survey.content_hash}-{run_id}"
    if len(prefix) + 12 > NAME_LENGTH_MAX:
        raise TraceError(f"run id {run_id[:20]!r}… is too long for the ids of events")
    for number, row in enumerate(read_rows(survey.path)):
        due_ms = start_ms
        if speed is not None:
            due_ms += int((row.time_us - survey.first_us) / 1000 / speed)
        reading = Reading(
            METERED,
            labels.tenant,
            SOURCE,
            f"{prefix}-{number}",
            end_ms - (survey.last_us - row.time_us) // 1000,
            labels.region,
            labels.provider,
            labels.model,
            row.input_tokens,
            row.output_tokens,
        )
        yield Emission(due_ms, number, reading, straight=False)


def read_rows(path: Path) -> Iterator[TraceRow]:
    """Stream the rows; raises `TraceError` naming line and column of what is wrong."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = next(reader, None)
            places = _places(path, header)
            width = len(header or ())
            for cells in reader:
                if cells:
                    yield _row(path, reader.line_num, cells, places, width)
    except OSError as error:
        raise TraceError(f"cannot read the trace {path}: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise TraceError(f"{path} is no CSV text: {error}") from None


def _places(path: Path, header: list[str] | None) -> tuple[int, int, int]:
    missing = [name for name in COLUMNS if name not in (header or ())]
    if header is None or missing:
        raise TraceError(
            f"{path}, line 1: no column {', '.join(missing or COLUMNS)};"
            f" a trace's header is {','.join(COLUMNS)}"
        )
    return header.index(COLUMNS[0]), header.index(COLUMNS[1]), header.index(COLUMNS[2])


def _row(
    path: Path, line: int, cells: list[str], places: tuple[int, int, int], width: int
) -> TraceRow:
    if len(cells) != width:
        raise TraceError(f"{path}, line {line}: {len(cells)} columns, but the header has {width}")
    time, context, generated = (cells[place].strip() for place in places)
    return TraceRow(
        _time_us(path, line, time),
        _tokens(path, line, COLUMNS[1], context),
        _tokens(path, line, COLUMNS[2], generated),
    )


def _time_us(path: Path, line: int, text: str) -> int:
    """Read a time such as ``2023-11-16 18:17:03.9799600``; without a zone it is UTC."""
    try:
        # Seven fractional digits (a .NET tick) are one more than a datetime holds: cut it off.
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise TraceError(
            f"{path}, line {line}, column {COLUMNS[0]}: {text[:40]!r} is no time such as"
            " 2023-11-16 18:17:03.9799600"
        ) from None
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)
    delta = parsed - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def _tokens(path: Path, line: int, column: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > TOKENS_MAX:
        raise TraceError(
            f"{path}, line {line}, column {column}: {text[:40]!r} is no whole number"
            f" from 0 to {TOKENS_MAX}"
        )
    return int(text)


def _content_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:CONTENT_HASH_LENGTH]
