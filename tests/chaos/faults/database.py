"""Faults of the database: it refuses inserts, or goes back to an older backup."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from services.local_stack.errors import StackError
from tests.chaos.catalogue import GUEST, WORKERS
from tests.chaos.database import DatabaseAwayError
from tests.chaos.faults.process import STOP_SECONDS_MAX
from tests.chaos.plan import Fault
from tests.chaos.stack import DATABASE
from tests.chaos.world import World

#: For each choice, the table and the setting that has ClickHouse refuse inserts into it.
REFUSALS: Final = {
    "too many parts slices_minute": ("slices_minute", "parts_to_throw_insert"),
    "readonly checkpoints": ("checkpoints", "table_readonly"),
    "readonly slices_hour": ("slices_hour", "table_readonly"),
}
STATEMENT_SECONDS_MAX: Final = 60.0


def insist(world: World, text: str) -> None:
    """Run a statement, again and again while the database is away."""
    deadline = time.monotonic() + STATEMENT_SECONDS_MAX
    while True:
        try:
            world.database.command(text)
        except DatabaseAwayError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
        else:
            return


def refuse_inserts(world: World, fault: Fault) -> None:
    """Have a table refuse inserts for a while."""
    table, setting = REFUSALS[fault.choice]
    insist(world, f"ALTER TABLE {table} MODIFY SETTING {setting} = 1")
    try:
        world.wait(fault.seconds)
    finally:
        insist(world, f"ALTER TABLE {table} RESET SETTING {setting}")


def restore(world: World, fault: Fault) -> None:
    """Restore the last backup as the runbook says."""
    with no_workers(world), world.in_restore():
        for name in (*WORKERS, GUEST):
            shutil.rmtree(world.stack.state_dir(name), ignore_errors=True)
        bring_back(world)
        world.stack.run("migrate", "--partitions", str(world.partitions))
        world.note(world.stack.run("accept-restore"))
        world.wait(fault.seconds)


def restore_running(world: World, fault: Fault) -> None:
    """Restore the last backup and forget about the workers: they must notice.

    Then do as the runbook says.
    """
    with world.in_restore():
        bring_back(world)
        world.wait(fault.seconds)
        with no_workers(world):
            world.stack.run("migrate", "--partitions", str(world.partitions))
            world.note(world.stack.run("accept-restore"))


def bring_back(world: World) -> None:
    """Put the last backup in the database's place, checkpoints last.

    From the beginning again where it fails: a worker that still runs may write into a table that
    has been made and not been filled yet, and ClickHouse does not restore into that.
    """
    number, deadline = world.backups[-1], time.monotonic() + STATEMENT_SECONDS_MAX
    statements = (
        f"DROP DATABASE IF EXISTS {DATABASE} SYNC",
        f"RESTORE DATABASE {DATABASE} FROM File('{number}')",
        f"RESTORE TABLE {DATABASE}.checkpoints FROM File('{number}-checkpoints')",
    )
    while True:
        try:
            for text in statements:
                world.database.command(text, database="default")
        except DatabaseAwayError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
        else:
            return


def back_up(world: World) -> bool:
    """Take a backup as the runbook says, checkpoints first; say if there is one."""
    number = len(world.backups) + 1
    table = f"{DATABASE}.checkpoints"
    try:
        world.database.command(f"BACKUP TABLE {table} TO File('{number}-checkpoints')")
        world.database.command(
            f"BACKUP DATABASE {DATABASE} EXCEPT TABLES {table} TO File('{number}')"
        )
    except DatabaseAwayError as error:
        world.note(f"no backup: {error}")
        return False
    world.backups.append(number)
    return True


@contextmanager
def no_workers(world: World) -> Iterator[None]:
    """Stop all workers, and start them again at the end."""
    actors = [world.actor(name) for name in WORKERS]
    for actor in actors:
        actor.down(signal.SIGTERM)
    for actor in actors:
        if not actor.wait_down(STOP_SECONDS_MAX):
            world.note(f"{actor.name} had not ended {STOP_SECONDS_MAX:g} s after SIGTERM: killed")
    wait_for_group_to_be_empty(world)
    try:
        yield
    finally:
        for actor in actors:
            actor.up()


def wait_for_group_to_be_empty(world: World) -> None:
    """Wait until Kafka knows that no worker is left: one that was killed stays for its session."""
    deadline = time.monotonic() + STATEMENT_SECONDS_MAX
    while world.group_members():
        if time.monotonic() > deadline:
            raise StackError("Kafka still counts members of the group, though no worker runs")
        time.sleep(0.5)


def needs_backup(world: World) -> bool:
    """Whether a restore is possible by now."""
    return bool(world.backups)
