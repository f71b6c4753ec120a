"""Which worker of pytest-xdist gets which file of tests (``--dist loadfile``), and how urgently.

A third of the time of tests with a Kafka and a ClickHouse is waiting, for a lease to end or a
scrape to come. ``--one-beside`` makes the last worker fill it: it takes only what runs no other
program, and every other process goes before it.
"""

from __future__ import annotations

import os
from typing import Any, Final

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

#: What runs containers.
ENGINE_TESTS: Final = "tests/containers/"
#: What needs no Kafka, no database and no whole core.
WITHOUT_A_STACK: Final = ("tests/unit/", "tests/property/", "tests/contract/", "tests/docs/")
#: So it gets a third of what another process gets: enough to end, too little to be in the way.
NICENESS: Final = 5
OPTION: Final = "--one-beside"


def takes_what_is_beside(config: pytest.Config, worker: str, workers: int) -> bool:
    """Whether a worker, gw0 being the first, is the one that only fills the others' waiting."""
    return bool(config.getoption(OPTION)) and workers > 1 and worker == f"gw{workers - 1}"


def give_way(config: pytest.Config) -> None:
    """Have this worker, and all that it starts, go behind others if it is the one beside them."""
    here = getattr(config, "workerinput", None)
    if here and takes_what_is_beside(config, here["workerid"], here["workercount"]):
        os.nice(NICENESS)


class ByNeeds(LoadFileScheduling):  # type: ignore[misc]
    """A file at a time, as with ``loadfile``; all files that need the one engine are one.

    Whoever has the engine holds it to the end, so that another worker would wait in vain.
    """

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return ENGINE_TESTS if file.startswith(ENGINE_TESTS) else file

    def _assign_work_unit(self, node: Any) -> None:
        scope = self._next_for(node)
        if scope is None:
            node.shutdown()
            return
        self.workqueue.move_to_end(scope, last=False)
        super()._assign_work_unit(node)

    def _next_for(self, node: Any) -> str | None:
        """The file that a worker is to have next, if there is one for it."""
        first = str(next(iter(self.workqueue)))
        if not self.config.getoption(OPTION):
            return first
        beside = takes_what_is_beside(self.config, node.gateway.id, self.numnodes)
        suits = [one for one in self.workqueue if one.startswith(WITHOUT_A_STACK) == beside]
        if suits:
            return str(suits[0])
        # The others help it at last, and never the other way round.
        return None if beside else first
