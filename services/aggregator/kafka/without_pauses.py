"""Parts of Faust's that pause for a second when a worker starts and when it ends, without that.

While they pause nobody meters its partitions: an upgrade of many workers, one after the other, is
longer by two seconds for each.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import faust
from faust.tables.manager import TableManager

#: Tasks that were told to end get so long for it, as with Faust's own.
LAST_TASKS_SECONDS: Final = 1.0


class NoTables(TableManager):
    """Manages no tables. Faust's waits a second for modules that may declare some."""

    async def on_start(self) -> None:
        """Let partitions be assigned."""
        await self._update_channels()
        await self.recovery.start()


class EndingWorker(faust.Worker):
    """Ends once its last tasks have. Faust's waits a second for them, whether there are any."""

    async def _sentinel_task(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=LAST_TASKS_SECONDS)


def without_pauses() -> dict[str, Any]:
    """Options of the Faust app that put these in."""
    return {"TableManager": NoTables, "Worker": EndingWorker}
