"""Dead letters in ClickHouse: which there are, and whether one can usefully be put back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from schemas.identity import identity_hash
from schemas.metering_rules import MeteringRules
from schemas.wire import InvalidEventError, decode
from services.platform.clickhouse import all_rows, mapped_errors

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which dead letters; None does not restrict."""

    reason: str | None = None
    partition: int | None = None
    offset: int | None = None

    @property
    def where(self) -> str:
        """The SQL condition; its parameters are `parameters`."""
        conditions = [
            f"{column} = {{{column}:{kind}}}"
            for column, kind in (
                ("reason", "String"),
                ("partition", "UInt32"),
                ("offset", "UInt64"),
            )
            if getattr(self, column) is not None
        ]
        return " AND ".join(conditions) or "1"

    @property
    def parameters(self) -> dict[str, Any]:
        """The values of the condition."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record that was refused; `payload_bytes` is its length before it was cut."""

    log: str
    partition: int
    offset: int
    reason: str
    error: str
    payload: bytes
    payload_bytes: int
    append_time: datetime


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How many dead letters bear a reason, and when the newest came."""

    reason: str
    letters: int
    newest: datetime


def count_by_reason(client: Client, selection: Selection) -> list[ReasonCount]:
    """Count the dead letters, most frequent reason first."""
    rows = all_rows(
        client,
        "SELECT reason, count(), max(append_time) FROM dead_letters FINAL"
        f" WHERE {selection.where} GROUP BY reason",
        selection.parameters,
    )
    counts = [ReasonCount(str(reason), int(count), newest) for reason, count, newest in rows]
    return sorted(counts, key=lambda count: (-count.letters, count.reason))


def read_letters(
    client: Client, selection: Selection, limit: int | None = None
) -> Iterator[DeadLetter]:
    """Stream dead letters: the newest ``limit``, newest first, or all in the log's order."""
    order = "log, partition, offset"
    if limit is not None:
        order = f"append_time DESC, log, partition, offset DESC LIMIT {limit:d}"
    query = (
        "SELECT log, partition, offset, reason, error, payload, payload_bytes, append_time"
        f" FROM dead_letters FINAL WHERE {selection.where} ORDER BY {order}"
    )
    with (
        mapped_errors(),
        # A payload need not be UTF-8.
        client.query_rows_stream(
            query, parameters=selection.parameters, column_formats={"payload": "bytes"}
        ) as stream,
    ):
        for row in stream:
            yield DeadLetter(*row)


def why_not_back(letter: DeadLetter, rules: MeteringRules, now_ms: int) -> str | None:
    """Say why a letter cannot usefully be put back now, or None."""
    if letter.payload_bytes > len(letter.payload):
        return "its payload was cut, or is past its 30 days"
    try:
        event = decode(letter.payload)
    except InvalidEventError as error:
        return f"it is still no valid event: {error.message}"
    age_ms = now_ms - int((event.time - _EPOCH).total_seconds() * 1000)
    if age_ms > rules.too_old_ms:
        return "it is still too old"
    if -age_ms > rules.too_new_ms:
        return "it is still too new"
    return None


def log_record(letter: DeadLetter) -> tuple[bytes, bytes]:
    """Give key and value to put back: the identity's key, so a second time is a duplicate."""
    event = decode(letter.payload)
    return identity_hash(event.tenant, event.source, event.id), letter.payload
