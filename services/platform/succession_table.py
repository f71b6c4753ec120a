"""The table `successions`: which log followed which, as workers and exporter read it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

from clickhouse_connect.driver.client import Client

from services.platform.clickhouse import INSERT_SETTINGS, all_rows, mapped_errors
from services.platform.succession import Stretch, Succession

COLUMNS = (
    "log",
    "topic",
    "partitions",
    "predecessor",
    "predecessor_topic",
    "predecessor_partitions",
    "predecessor_partition",
    "start_offset",
    "end_offset",
)
_Row = tuple[str, str, int, str, str, int, int, int, int]


def read_successions(client: Client) -> list[Succession]:
    """Read all successions; one of which not every end is there is not told.

    Raises `UnavailableError` and `ConfigurationError`.
    """
    rows = all_rows(client, f"SELECT {', '.join(COLUMNS)} FROM successions FINAL", {})
    return successions_of(cast("Sequence[_Row]", rows))


def successions_of(rows: Iterable[_Row]) -> list[Succession]:
    """Put the rows of each predecessor together."""
    by_log: dict[str, list[_Row]] = {}
    for row in rows:
        by_log.setdefault(row[3], []).append(row)
    found = []
    for of_one in by_log.values():
        of_one.sort(key=lambda row: row[6])
        log, topic, partitions, predecessor, predecessor_topic, count = of_one[0][:6]
        if [row[6] for row in of_one] != list(range(count)):
            continue
        ends = tuple(Stretch(start, end) for *_, start, end in of_one)
        found.append(Succession(log, topic, partitions, predecessor, predecessor_topic, ends))
    return found


def write_succession(client: Client, succession: Succession) -> None:
    """Insert a complete succession, all of it at once. Writing it again changes nothing.

    Raises `UnavailableError` and `ConfigurationError`.
    """
    assert succession.ends is not None
    rows = [
        [
            *(succession.log, succession.topic, succession.partitions),
            *(succession.predecessor_log, succession.predecessor_topic, len(succession.ends)),
            *(partition, stretch.start, stretch.end),
        ]
        for partition, stretch in enumerate(succession.ends)
    ]
    with mapped_errors():
        client.insert("successions", rows, column_names=list(COLUMNS), settings=INSERT_SETTINGS)


def seconds_since_written(client: Client, predecessor_log: str) -> int:
    """How long ago the ends of a log were written first; 0 where they are not.

    Raises `UnavailableError` and `ConfigurationError`.
    """
    ((seconds,),) = all_rows(
        client,
        "SELECT if(count() = 0, 0, dateDiff('second', min(written_at), now64(3, 'UTC')))"
        " FROM successions WHERE predecessor = {log:String}",
        {"log": predecessor_log},
    )
    return max(0, int(seconds))


def read_next_offsets(client: Client, log: str) -> dict[int, int]:
    """Read how far each partition of a log is metered; one without a checkpoint is missing.

    Raises `UnavailableError` and `ConfigurationError`.
    """
    rows = all_rows(
        client,
        "SELECT partition, max(next_offset) FROM checkpoints WHERE log = {log:String}"
        " GROUP BY partition",
        {"log": log},
    )
    return {int(partition): int(offset) for partition, offset in rows}


def read_beginnings(client: Client, log: str) -> dict[int, int]:
    """Read where each partition of a log begins; one that `migrate` has not seen is missing.

    Raises `UnavailableError` and `ConfigurationError`.
    """
    rows = all_rows(
        client,
        "SELECT partition, start_offset FROM log_partitions FINAL WHERE log = {log:String}",
        {"log": log},
    )
    return {int(partition): int(offset) for partition, offset in rows}
