"""Where a log begins to be metered: recorded once, so that nothing can go missing before it.

A topic begins at offset 0. A log that this database has never met and that holds its offset 0 is
metered from there; a partition from which records are gone already may have lost some unmetered,
so a person has to say that it is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from clickhouse_connect.driver.client import Client

from services.platform.clickhouse import INSERT_SETTINGS, all_rows, mapped_errors
from services.platform.errors import ConfigurationError
from services.platform.kafka_log import Log


def ensure_beginnings(
    client: Client,
    log: Log,
    starts: Mapping[int, int],
    report: Callable[[str], None],
    *,
    accept_log_start: bool = False,
) -> None:
    """Record where each partition begins that has no record yet.

    ``starts`` are the first offsets that the log holds now. With ``accept_log_start`` partitions
    that were never metered begin there, whatever was deleted before. Raises `ConfigurationError`
    where records may have been deleted unmetered.
    """
    of_log = {"log": log.name}
    known = all_rows(
        client,
        "SELECT partition, start_offset FROM log_partitions FINAL WHERE log = {log:String}",
        of_log,
    )
    metered = all_rows(
        client,
        "SELECT partition, start_offset FROM checkpoints FINAL WHERE log = {log:String}",
        of_log,
    )
    recorded, began = dict(known), dict(metered)
    wanted = beginnings(recorded, began, starts, accept_log_start=accept_log_start)
    lost = {
        number: start
        for number, start in starts.items()
        if number not in began and wanted[number] < start
    }
    if lost:
        number, start = min(lost.items())
        raise ConfigurationError(
            f"partition {number} of {log.topic} starts at {start}, and what was before it was never"
            f" metered into this database ({len(lost)} partitions are so). If that is as it should"
            " be, run `wattoken migrate --accept-log-start`:"
            " docs/runbook.md, 'Retention overtook the meter'"
        )
    new = {number: begin for number, begin in wanted.items() if recorded.get(number) != begin}
    if not new:
        report(f"beginning of log {log.name}: already stored")
        return
    with mapped_errors():
        client.insert(
            "log_partitions",
            [
                [log.name, number, log.topic, log.partitions, begin]
                for number, begin in sorted(new.items())
            ],
            column_names=["log", "partition", "topic", "partitions", "start_offset"],
            settings=INSERT_SETTINGS,
        )
    report(f"beginning of log {log.name}: stored for {len(new)} partitions")


def beginnings(
    known: Mapping[int, int],
    metered: Mapping[int, int],
    starts: Mapping[int, int],
    *,
    accept_log_start: bool,
) -> dict[int, int]:
    """Say where each partition begins; all are offsets by partition.

    What is recorded (``known``) stays, else where metering began; else the very first record.
    """
    found = {}
    for number, start in starts.items():
        begin = known.get(number, metered.get(number, 0))
        if accept_log_start and number not in metered:
            begin = max(begin, start)
        found[number] = begin
    return found
