"""Which function does which kind of fault, and what a kind needs that not every machine has."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Final

from tests.chaos.catalogue import KINDS, Kind
from tests.chaos.faults import clock, database, disk, log, network, process
from tests.chaos.plan import Fault
from tests.chaos.world import World

Do = Callable[[World, Fault], None]

DOES: Final[Mapping[str, Do]] = {
    "kill_worker": process.kill,
    "kill_worker_in_insert": process.kill_in_insert,
    "kill_all_workers": process.kill,
    "stop_worker": process.stop,
    "pause_worker": process.pause,
    "kill_decoder": process.kill_decoder,
    "join_and_leave": process.join_and_leave,
    "damage_ids": process.damage_ids,
    "kill_ingest": process.kill_ingest,
    "stop_ingest": process.stop,
    "pause_ingest": process.pause,
    "kill_exporter": process.kill,
    "kill_broker": process.kill,
    "stop_broker": process.stop,
    "pause_broker": process.pause,
    "kill_clickhouse": process.kill_clickhouse,
    "pause_clickhouse": process.pause,
    **dict.fromkeys(network.TREATMENTS, network.treat),
    "disk_full_kafka": disk.fill,
    "disk_full_clickhouse": disk.fill,
    "disk_full_ids": disk.fill,
    "worker_clock": clock.jump,
    "broker_clock": clock.jump,
    "refuse_inserts": database.refuse_inserts,
    "restore": database.restore,
    "restore_running": database.restore_running,
    "open_transaction": log.leave_open,
    "succession": log.succeed,
}
assert DOES.keys() == {kind.name for kind in KINDS}

#: What the whole of a family needs of the machine.
NEEDS: Final = {"disk": "disks", "clock": "clocks"}


def unavailable(missing: Mapping[str, str]) -> dict[str, str]:
    """Kinds that cannot be done here, and why; ``missing`` says what the machine does not give."""
    reasons = {
        kind.name: missing[NEEDS[kind.family]]
        for kind in KINDS
        if NEEDS.get(kind.family) in missing
    }
    if not has_command("succeed"):
        reasons["succession"] = "this version has no command `wattoken succeed`"
    return reasons


def has_command(name: str) -> bool:
    """Whether `wattoken` has a subcommand."""
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", name, "--help"], capture_output=True, check=False
    )
    return done.returncode == 0


def feasible(kind: Kind, world: World) -> bool:
    """Whether it can be done at this moment; a restore needs a backup."""
    return database.needs_backup(world) if kind.name.startswith("restore") else True
