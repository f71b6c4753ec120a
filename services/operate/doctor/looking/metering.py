"""How far the log is metered, how long it is kept, and by which rules."""

from __future__ import annotations

import time
from contextlib import closing

from clickhouse_connect.driver.client import Client

from schemas.metering_rules import MeteringRules
from services.operate.doctor.judging.metering import Checkpoint, Progress
from services.operate.doctor.judging.retention import Retention
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
    with closing(connect(world.settings)) as client:
        rules = read_rules(client, world.log.name)
    return Retention(
        topic=world.topic,
        retention_ms=_retention_ms(world),
        retention_bytes=int(config.get("retention.bytes", "-1")),
        rules=_longest(rules),
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


def _longest(rules: dict[int, list[tuple[int, MeteringRules]]]) -> MeteringRules | None:
    """Of the rules that hold now in the partitions, those with the longest horizon."""
    now = [entries[-1][1] for entries in rules.values()]
    return max(now, key=lambda one: one.dedup_horizon_ms, default=None)
