"""What ClickHouse says of its clock, disks, parts, users and backups."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Final

from services.operate.doctor.judging.clocks import Clock
from services.operate.doctor.judging.disks import Disk
from services.operate.doctor.judging.grants import NEEDED, Grant, Rights, User
from services.operate.doctor.judging.parts import Crowd, Merging, Mutation, Replica
from services.operate.doctor.looking.world import World
from services.platform.errors import ConfigurationError

#: The fullest partitions that are looked at.
CROWDS_MAX: Final = 3
DISK_REMEDY: Final = "make room, or add a disk; on a full one workers wait, and the log fills"
STATE_REMEDY: Final = (
    "make room in WATTOKEN_AGGREGATOR_STATE_DIR, or ids stay in memory:"
    " docs/runbook.md, 'Ids cannot be kept on disk'"
)


def clock(world: World) -> Clock:
    """How far the server's clock is from ours."""
    before_ms = time.time_ns() // 1_000_000
    ((at,),) = world.rows("SELECT toUnixTimestamp64Milli(now64(3))")
    after_ms = time.time_ns() // 1_000_000
    return Clock("ClickHouse", int(at) - after_ms, int(at) - before_ms)


def disks(world: World) -> tuple[Disk, ...]:
    """The disks of the server, without those that say nothing of room."""
    rows = world.rows("SELECT name, path, free_space, total_space FROM system.disks")
    return tuple(
        Disk(f"ClickHouse's disk {name} ({path})", int(free), int(total), DISK_REMEDY)
        for name, path, free, total in rows
        # Object stores say that they are endless.
        if 0 < int(total) < 1 << 62
    )


def state_disk(folder: Path) -> Disk | None:
    """The disk of the workers' ids, where the folder is on this machine."""
    if not folder.is_dir():
        return None
    usage = shutil.disk_usage(folder)
    return Disk(f"disk of ids ({folder})", usage.free, usage.total, STATE_REMEDY)


def merging(world: World) -> Merging:
    """Parts, merges, mutations, detached parts and replicas of the database."""
    crowds = world.rows(
        "SELECT table, partition, count() AS parts FROM system.parts"
        " WHERE database = {database:String} AND active GROUP BY table, partition"
        f" ORDER BY parts DESC LIMIT {CROWDS_MAX}"
    )
    limits = dict(
        world.rows(
            "SELECT name, toUInt64(value) FROM system.merge_tree_settings"
            " WHERE name IN ('parts_to_delay_insert', 'parts_to_throw_insert')"
        )
    )
    mutations = world.rows(
        "SELECT table, command, dateDiff('second', create_time, now()), latest_fail_reason"
        " FROM system.mutations WHERE database = {database:String} AND NOT is_done"
    )
    ((longest,),) = world.rows(
        "SELECT toUInt64(max(elapsed)) FROM system.merges WHERE database = {database:String}"
    )
    detached = world.rows(
        "SELECT table, ifNull(reason, ''), count() FROM system.detached_parts"
        " WHERE database = {database:String} GROUP BY table, reason"
    )
    replicas = world.rows(
        "SELECT table, is_readonly, absolute_delay FROM system.replicas"
        " WHERE database = {database:String}"
    )
    return Merging(
        crowds=tuple(sorted((Crowd(*one) for one in crowds), key=lambda one: -one.parts)),
        delay_at_parts=int(limits["parts_to_delay_insert"]),
        throw_at_parts=int(limits["parts_to_throw_insert"]),
        mutations=tuple(Mutation(*one) for one in mutations),
        longest_merge_seconds=int(longest),
        detached=tuple((table, reason, int(parts)) for table, reason, parts in detached),
        replicas=tuple(Replica(table, bool(only), int(late)) for table, only, late in replicas),
    )


def users(text: str) -> dict[str, str]:
    """Read which user is which service's. Raises `ConfigurationError`."""
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        service, equals, name = pair.partition("=")
        if not equals or service not in NEEDED:
            raise ConfigurationError(
                f"WATTOKEN_DOCTOR_CLICKHOUSE_USERS: {pair!r} is not one of"
                f" {', '.join(f'{one}=USER' for one in NEEDED)}"
            )
        found[service] = name
    return found


def rights(world: World) -> Rights:
    """The grants of the services' users. Raises `ConfigurationError` where we may not see them."""
    named = users(world.settings.doctor_clickhouse_users)
    there = {name for (name,) in world.rows("SELECT name FROM system.users")}
    parents = {
        str(name): None if parent is None else str(parent)
        for name, parent in world.rows(
            "SELECT toString(privilege), toString(parent_group) FROM system.privileges"
        )
    }
    found = []
    for service, name in named.items():
        rows = world.rows(
            "SELECT toString(access_type), database, table, is_partial_revoke FROM system.grants"
            " WHERE user_name = {user:String} OR role_name IN"
            " (SELECT granted_role_name FROM system.role_grants WHERE user_name = {user:String})",
            user=name,
        )
        grants = tuple(Grant(access, base, table, bool(off)) for access, base, table, off in rows)
        found.append(User(service, name, grants if name in there else None))
    return Rights(world.settings.clickhouse_database, tuple(found), parents)


def backup_age_ms(world: World) -> int | None:
    """How old the newest backup is that the server knows of; None where it knows of none."""
    tables = {
        name
        for (name,) in world.rows(
            "SELECT name FROM system.tables WHERE database = 'system'"
            " AND name IN ('backups', 'backup_log')"
        )
    }
    ages = [
        int(age)
        for table in tables
        for made, age in world.rows(
            f"SELECT count(), dateDiff('millisecond', max(end_time), now64(6)) FROM system.{table}"
            " WHERE toString(status) = 'BACKUP_CREATED'"
        )
        if made
    ]
    return min(ages, default=None)
