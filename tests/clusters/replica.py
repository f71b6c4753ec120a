"""A replica that is behind, played by a second server with older rows behind a proxy."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any, Final

from services.local_stack.ports import LOOPBACK
from services.local_stack.processes import Child
from tests.clusters.errors import ScenarioError
from tests.clusters.site import Site
from tests.clusters.stale_proxy import StaleProxy
from tests.clusters.world import DATABASE, Server, World

#: For so long the worker has nothing but older answers: it looks every few seconds.
BEHIND_SECONDS: Final = 12.0
GOING_BACK: Final = "database went back in time, recovering"
WAITING: Final = "database is behind, waiting for it"


def replica(world: World) -> None:
    """Older answers to a running worker, then to one that starts, then for longer than it waits."""
    whole, older = world.clickhouse("whole"), world.clickhouse("older")
    site = world.site("replica", world.kafka("kafka", 1), whole)
    for server in (older, whole):
        site.server = server
        site.migrate()
    port = world.port()
    proxy = world.enter(StaleProxy(port, whole.http_port, older.http_port))
    worker = site.worker("worker", clickhouse_port=port)
    with site.sender:
        site.metered()
        catch_up(whole, older)
        world.step("a worker, and a replica that has all that was metered so far")
        site.metered()
        committed(site)
        proxy.behind.set()
        refuses(world, site, worker)
        saw(worker, GOING_BACK)
        world.step("the replica that answers is behind: the worker drops what it has, and waits")
        catch_up(whole, older)
        goes_on(world, site)
        proxy.behind.clear()
        site.metered()
        world.step("it caught up, and the worker went on")

        world.kill(worker)
        committed(site)
        proxy.behind.set()
        worker.start()
        world.running.append(worker)
        refuses(world, site, worker)
        catch_up(whole, older)
        goes_on(world, site)
        proxy.behind.clear()
        worker.wait_ready()
        site.metered()
        world.step("a worker that was killed started on older answers, waited, and went on")
    if not proxy.answered_by_older:
        raise ScenarioError("the older server was never asked")
    # What the older one has in the end is all, too: it is compared as well.
    site.sender.stop()
    site.metered_to_the_end()
    catch_up(whole, older)


def catch_up(whole: Server, older: Server, only: Iterable[str] = ()) -> None:
    """Give the older server all rows of the other: what a replica does by itself, in time."""
    tables = [*only] or [
        name
        for (name,) in whole.database.rows(
            "name",
            f"system.tables WHERE database = '{DATABASE}' AND engine = 'ReplacingMergeTree'",
        )
    ]
    # Rows before what says that they are there, as they are written.
    for table in sorted(tables, key=lambda name: (name == "checkpoints", name)):
        older.database.command(
            f"INSERT INTO {table} SELECT * FROM"
            f" remote('{LOOPBACK}:{whole.tcp_port}', '{DATABASE}', '{table}')"
        )


def committed(site: Site) -> None:
    """Wait until the group committed what was metered; that is how a late replica is known."""
    time.sleep(3)


def refuses(world: World, site: Site, worker: Child) -> None:
    """See that the worker says that it waits, and meters nothing meanwhile.

    Raises `ScenarioError`.
    """
    seen = times_said(worker, WAITING)
    world.wait("the worker waits", lambda: times_said(worker, WAITING) > seen)
    before, deadline = site.offsets(), time.monotonic() + BEHIND_SECONDS
    while time.monotonic() < deadline:
        world.see_that_all_run()
        if site.offsets() != before:
            raise ScenarioError(f"metered on from {before} to {site.offsets()}, on older answers")
        time.sleep(1)


def goes_on(world: World, site: Site) -> None:
    """See that something is metered. Raises `ScenarioError`."""
    before = site.offsets()
    world.wait("metering goes on", lambda: site.offsets() != before)


def saw(worker: Child, what: str) -> None:
    """See that a worker said something. Raises `ScenarioError`."""
    if not times_said(worker, what):
        raise ScenarioError(worker.failure(f"did not say {what!r}"))


def times_said(worker: Child, what: str) -> int:
    """How often a worker said something."""
    return sum(said.get("event") == what for said in lines(worker))


def lines(worker: Child) -> Iterable[dict[str, Any]]:
    """What a worker said, as it wrote it."""
    for line in worker.plan.log_path.read_text().splitlines():
        try:
            # Faust writes control characters of a terminal before one.
            said = json.loads(line[line.find("{") :])
        except ValueError:
            continue
        if isinstance(said, dict):
            yield said
