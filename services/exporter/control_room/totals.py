"""PURE. Lifetime totals: the registers, and the pipeline's counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from services.exporter.control_room.document import Health, Meter, Meters
from services.exporter.control_room.rows import Registers
from services.exporter.rows import CheckpointRow, LogEnds


def meters(rows: Sequence[Registers]) -> Meters:
    """Read the registers of each region and sum them up."""
    return Meters(_meter(rows), {row.region: _meter([row]) for row in rows})


def _meter(rows: Iterable[Registers]) -> Meter:
    requests = given = made = 0
    for row in rows:
        requests += row.requests
        given += row.input_tokens
        made += row.output_tokens
    return Meter(str(requests), str(given), str(made), str(given + made))


def health(rows: Sequence[CheckpointRow], ends: LogEnds | None) -> Health:
    """Sum the counts of all partitions of all logs; the lag is that of the log of now."""
    rejected: dict[str, int] = {}
    for row in rows:
        for reason, count in row.rejected.items():
            rejected[reason] = rejected.get(reason, 0) + count
    newest_ms = max((row.newest_event_ms for row in rows), default=0)
    append_ms = max((row.last_append_ms for row in rows), default=0)
    lag = None if ends is None else str(lag_records(rows, ends))
    return Health(
        received=str(sum(row.received for row in rows)),
        accepted=str(sum(row.accepted for row in rows)),
        duplicate=str(sum(row.duplicate for row in rows)),
        late=str(sum(row.late for row in rows)),
        rejected=str(sum(rejected.values())),
        rejected_by_reason={reason: str(count) for reason, count in sorted(rejected.items())},
        newest_event=newest_ms / 1000 if newest_ms > 0 else None,
        last_append=append_ms / 1000 if append_ms > 0 else None,
        lag=lag,
    )


def lag_records(rows: Iterable[CheckpointRow], ends: LogEnds) -> int:
    """Count the records of the current log, and those before it, that no checkpoint covers."""
    return sum(ends.lag(rows).values())
