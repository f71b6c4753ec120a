"""The watchdog: ends a worker whose partitions stand still, or whose topic is another log by now.

A new process is what helps: it joins the group anew, and begins with the log as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from services.aggregator.core.watch import StandstillWatch
from services.aggregator.errors import LogReplacedError, StandstillError
from services.platform.errors import WattokenError
from services.platform.log import get_logger

if TYPE_CHECKING:
    from services.aggregator.app import MeterApp

logger = get_logger(__name__)

#: How often the log is looked at.
WATCH_SECONDS: Final = 15.0


async def keep_watch(app: MeterApp) -> None:
    """Look at the log every so often until the app stops."""
    patience_seconds = app.settings.aggregator_standstill_seconds
    topic = app.log_read.topic
    watch = StandstillWatch(patience_seconds)
    while not app.should_stop:
        await app.sleep(WATCH_SECONDS)
        try:
            replaced_by = await app.loop.run_in_executor(None, app.offsets.replaced_by)
            ends = await app.loop.run_in_executor(None, app.offsets.ends, sorted(app.meter.states))
        except WattokenError as error:
            logger.warning("cannot look at the log", error=str(error))
            continue
        if replaced_by is not None:
            await app.fail(
                LogReplacedError(
                    f"topic {topic} was deleted and made anew: it was log {app.log_read.name} and"
                    f" is {replaced_by}. Run `wattoken migrate` and start the worker again: it"
                    " begins with the new log"
                )
            )
        still = watch.look(app.loop.time(), app.meter.positions(), ends, held=app.meter.held)
        if still:
            await app.fail(
                StandstillError(
                    f"partitions {still} of {topic} have records to read but did not move for"
                    f" {patience_seconds:g} s; start the worker again"
                )
            )
