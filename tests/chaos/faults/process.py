"""Faults of processes: killed, stopped, paused; workers that come and go; damaged id stores."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from contextlib import suppress
from typing import Final

from tests.chaos.actors import Actor
from tests.chaos.catalogue import ALL_WORKERS, BROKER, CLICKHOUSE, GUEST, WORKERS
from tests.chaos.plan import Fault
from tests.chaos.proxy import Trap
from tests.chaos.world import World

#: What an orderly end may take; after it the process is killed.
STOP_SECONDS_MAX: Final = 25.0
READY_SECONDS_MAX: Final = 120.0
INFRASTRUCTURE: Final = (BROKER, CLICKHOUSE)


def kill(world: World, fault: Fault) -> None:
    """SIGKILL; down for as long as the fault lasts."""
    targets = WORKERS if fault.target == ALL_WORKERS else (fault.target,)
    actors = [world.actor(name) for name in targets]
    for actor in actors:
        actor.down(signal.SIGKILL)
    world.wait(fault.seconds)
    for actor in actors:
        bring_up(world, actor)


def bring_up(world: World, actor: Actor) -> None:
    """Start it again; what others need is waited for, so that the fault ends with its absence."""
    actor.up()
    if actor.name in INFRASTRUCTURE and not actor.wait_ready(READY_SECONDS_MAX):
        world.complain(f"{actor.name} was not ready {READY_SECONDS_MAX:g} s after its restart")


def stop(world: World, fault: Fault) -> None:
    """SIGTERM, the orderly end; down for as long as the fault lasts."""
    actor = world.actor(fault.target)
    actor.down(signal.SIGTERM)
    if not actor.wait_down(STOP_SECONDS_MAX):
        world.note(f"{actor.name} had not ended {STOP_SECONDS_MAX:g} s after SIGTERM: killed")
    world.wait(fault.seconds)
    bring_up(world, actor)


def pause(world: World, fault: Fault) -> None:
    """SIGSTOP, and SIGCONT at the end; in the middle of an insert if the fault says so."""
    actor = world.actor(fault.target)
    actor.hold()
    try:
        if fault.choice in ("", "anywhere"):
            actor.signal(signal.SIGSTOP)
        else:
            in_insert(world, fault, actor, lambda: actor.signal(signal.SIGSTOP))
        world.wait(fault.seconds)
    finally:
        actor.signal(signal.SIGCONT)
        actor.up()


def kill_in_insert(world: World, fault: Fault) -> None:
    """SIGKILL a worker at a step of an insert."""
    actor = world.actor(fault.target)
    actor.hold()
    try:
        in_insert(world, fault, actor, lambda: actor.child.kill(signal.SIGKILL))
    finally:
        actor.child.kill(signal.SIGKILL)
        actor.up()


def in_insert(world: World, fault: Fault, actor: Actor, action: object) -> None:
    """Do something to a worker when it inserts, or when the fault's time is up."""
    stage, table = fault.choice.split(" ")
    done = threading.Event()

    def spring() -> None:
        assert callable(action)
        action()
        done.set()

    trap = Trap(stage, table, spring)
    link = f"{actor.name}>clickhouse"
    world.network.set_trap(link, trap)
    if done.wait(fault.seconds):
        world.network.take_trap(link, trap)
        return
    if world.network.take_trap(link, trap):
        world.note(f"{actor.name} did not insert into {table} in time")
        spring()
    else:
        done.wait(1.0)


def kill_ingest(world: World, fault: Fault) -> None:
    """SIGKILL an ingest, if wished between Kafka's acknowledgement and the HTTP answer."""
    actor = world.actor(fault.target)
    actor.hold()
    try:
        if fault.choice == "after acknowledgement":
            done = threading.Event()

            def spring() -> None:
                actor.child.kill(signal.SIGKILL)
                done.set()

            link, trap = f"{actor.name}>kafka", Trap("after", "", spring)
            world.network.set_trap(link, trap)
            done.wait(2.0)
            world.network.take_trap(link, trap)
        actor.child.kill(signal.SIGKILL)
        world.wait(fault.seconds)
    finally:
        actor.up()


def kill_clickhouse(world: World, fault: Fault) -> None:
    """SIGKILL ClickHouse, if wished in the middle of some worker's insert."""
    actor = world.actor(fault.target)
    actor.hold()
    try:
        if fault.choice == "in insert":
            done = threading.Event()

            def spring() -> None:
                actor.child.kill(signal.SIGKILL)
                done.set()

            traps = {f"{name}>clickhouse": Trap("middle", "slices_", spring) for name in WORKERS}
            for link, trap in traps.items():
                world.network.set_trap(link, trap)
            done.wait(3.0)
            for link, trap in traps.items():
                world.network.take_trap(link, trap)
        actor.child.kill(signal.SIGKILL)
        world.wait(fault.seconds)
    finally:
        bring_up(world, actor)


def kill_decoder(world: World, fault: Fault) -> None:
    """SIGKILL the processes that decode for a worker."""
    for pid in world.actor(fault.target).forked():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    world.wait(fault.seconds)


def join_and_leave(world: World, fault: Fault) -> None:
    """Have one more worker join, and leave again in order or not."""
    guest = world.stack.invite_guest()
    world.wait(fault.seconds)
    guest.wanted = False
    if fault.choice == "kill":
        guest.signal(signal.SIGKILL)
        return
    guest.signal(signal.SIGTERM)
    if not guest.wait_down(STOP_SECONDS_MAX):
        world.note(f"{GUEST} had not ended {STOP_SECONDS_MAX:g} s after SIGTERM: killed")


def damage_ids(world: World, fault: Fault) -> None:
    """Kill a worker and damage the ids it keeps on disk: garbage, cut files, or nothing left."""
    actor = world.actor(fault.target)
    actor.down(signal.SIGKILL)
    try:
        folder = world.stack.state_dir(fault.target)
        if fault.choice == "delete":
            shutil.rmtree(folder, ignore_errors=True)
        for path in sorted(folder.rglob("*")) if folder.exists() else []:
            if path.is_file() and path.stat().st_size:
                with path.open("r+b") as file:
                    if fault.choice == "cut":
                        file.truncate(path.stat().st_size // 2)
                    else:
                        file.write(b"\xa5" * min(64, path.stat().st_size))
        time.sleep(fault.seconds)
    finally:
        actor.up()
