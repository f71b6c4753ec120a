"""How far the log is metered, how long it is kept, and by which rules."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing

from clickhouse_connect.driver.client import Client

from schemas.metering_rules import MeteringRules
from services.operate.doctor.judging.metering import Checkpoint, Progress
from services.operate.doctor.judging.retention import CLOCK_STEP_MS, Retention
from services.operate.doctor.looking.clickhouse import backup_age_ms
from services.operate.doctor.looking.kafka import topic_config
from services.operate.doctor.looking.world import World
from services.platform.clickhouse import all_rows, connect
from services.platform.rules_table import read_rules
from services.platform.succession_table import read_beginnings

HOUR_MS = 3_600_000


def progress(world: World) -> Progress:
    """The log's bounds, and the meter's place in it."""
    log, partitions = world.log, range(world.log.partitions)
    starts = world.questions.starts(log.topic, partitions)
    with closing(connect(world.settings)) as client:
        checkpoints = _checkpoints(client, log.name)
        begun = read_beginnings(client, log.name)
        rules = read_rules(client, log.name)
    # After the checkpoints: else what was appended and metered meanwhile lies beyond the end.
    ends = world.questions.stable_ends(log.topic, partitions)
    return Progress(
        *(log.topic, starts, ends, checkpoints, begun, frozenset(rules)),
        *(_retention_ms(world), time.time_ns() // 1_000_000),
    )


def retention(world: World) -> Retention:
    """What the topic keeps, and what that is for."""
    config = topic_config(world, world.topic) or {}
    log = world.log
    starts = world.questions.starts(log.topic, range(log.partitions))
    with closing(connect(world.settings)) as client:
        rules = read_rules(client, log.name)
        checkpoints = _checkpoints(client, log.name)
        copies = _copies(world, client)
    longest = _longest(rules)
    keep_ms = 0 if longest is None else longest.dedup_horizon_ms + CLOCK_STEP_MS
    return Retention(
        topic=world.topic,
        retention_ms=_retention_ms(world),
        retention_bytes=int(config.get("retention.bytes", "-1")),
        rules=longest,
        copied=are_copied(checkpoints, copies, starts, keep_ms),
        backup_ms=int(world.settings.doctor_backup_hours * HOUR_MS),
        backup_age_ms=backup_age_ms(world),
    )


def _retention_ms(world: World) -> int:
    return int((topic_config(world, world.topic) or {}).get("retention.ms", "-1"))


def _checkpoints(client: Client, log: str) -> dict[int, Checkpoint]:
    rows = all_rows(
        client,
        "SELECT partition, next_offset, toUnixTimestamp64Milli(last_append) FROM checkpoints FINAL"
        " WHERE log = {log:String}",
        {"log": log},
    )
    return {int(at): Checkpoint(int(offset), int(moment)) for at, offset, moment in rows}


def _copies(world: World, client: Client) -> dict[int, tuple[int, int]]:
    """From which log time and up to which offset copies of ids are there, by partition."""
    if not world.rows(
        "SELECT 1 FROM system.tables WHERE database = {database:String} AND name = 'seen_runs'"
    ):
        return {}
    rows = all_rows(
        client,
        "SELECT partition, min(begin_ms), max(end_offset) FROM seen_runs"
        " WHERE log = {log:String} GROUP BY partition",
        {"log": world.log.name},
    )
    return {int(partition): (int(begin_ms), int(end)) for partition, begin_ms, end in rows}


def are_copied(
    checkpoints: Mapping[int, Checkpoint],
    copies: Mapping[int, tuple[int, int]],
    starts: Mapping[int, int],
    keep_ms: int,
) -> bool:
    """Whether, of each partition that is metered, copies begin early enough and reach the log."""
    return bool(checkpoints) and all(
        number in copies
        and copies[number][0] <= checkpoint.last_append_ms - keep_ms
        and copies[number][1] >= starts.get(number, 0)
        for number, checkpoint in checkpoints.items()
    )


def _longest(rules: dict[int, list[tuple[int, MeteringRules]]]) -> MeteringRules | None:
    """Of the rules that hold now in the partitions, those with the longest horizon."""
    now = [entries[-1][1] for entries in rules.values()]
    return max(now, key=lambda one: one.dedup_horizon_ms, default=None)
