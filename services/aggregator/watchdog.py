"""The watchdog: ends a worker whose partitions stand still, or whose topic is another log by now.

A new process is what helps: it joins the group again, and begins with the log as it is.
"""

from __future__ import annotations

from typing import Final

from services.aggregator.core.watch import StandstillWatch
from services.aggregator.errors import StandstillError
from services.aggregator.host import MeterHost
from services.aggregator.succession.lineage import check_partitions, check_same
from services.platform.errors import WattokenError
from services.platform.log import get_logger

logger = get_logger(__name__)

#: How often the log is looked at.
WATCH_SECONDS: Final = 15.0
#: The position of a partition of ours that is not recovered: before every log's end.
NO_STATE: Final = -1


async def keep_watch(app: MeterHost) -> None:
    """Look at the log every so often until the app stops."""
    patience_seconds = app.settings.aggregator_standstill_seconds
    topic = app.log_read.topic
    watch = StandstillWatch(patience_seconds)
    while not app.should_stop:
        await app.sleep(WATCH_SECONDS)
        try:
            now = await app.loop.run_in_executor(None, app.offsets.now)
            owned = app.assigned_partitions()
            ends = await app.loop.run_in_executor(None, app.offsets.readable_ends, owned)
        except WattokenError as error:
            logger.warning("cannot look at the log", error=str(error))
            continue
        try:
            check_same(app.log_read, now)
            check_partitions(app.log_read, now.partitions, app.lineage)
        except WattokenError as error:
            await app.fail(error)
        # A log that was succeeded ends before what may lie on its topic.
        ends = {number: min(end, app.lineage.ends.get(number, end)) for number, end in ends.items()}
        # What is ours without a state stands still as well, wherever its log ends; unless that is
        # because the predecessor's ids are being read, or copies of ids are fetched.
        waiting = NO_STATE - app.inheritance.progress - app.id_copies.progress
        positions = {**dict.fromkeys(owned, waiting), **app.meter.positions()}
        still = watch.look(app.loop.time(), positions, ends, held=app.meter.held)
        if still:
            await app.fail(
                StandstillError(
                    f"partitions {still} of {topic} have records to read but did not move for"
                    f" {patience_seconds:g} s; start the worker again"
                )
            )
