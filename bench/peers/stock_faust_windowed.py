"""Stock Faust as its documentation does it: a tumbling table, JSON into a Record.

One worker, memory store, changelog topic on as by default, table relative to the event's time.
Without the documentation's ``group_by``: one worker holds all partitions, so its sums are right
without a repartition topic, and it is faster for that.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

import faust

from bench.peers.grain import GRAINS, HOURS
from bench.peers.task import Clock, print_report, read_task, reported, versions

task = read_task()
grain = GRAINS[task.grain]
app = faust.App(
    task.group,
    broker=f"kafka://{task.bootstrap_servers}",
    store="memory://",
    datadir=task.work_dir,
    topic_partitions=task.partitions,
    topic_disable_leader=True,
    consumer_auto_offset_reset="earliest",
    web_enabled=False,
    # By default each change of the table is a request of its own to the broker, a third slower.
    producer_linger=0.05,
    producer_max_batch_size=262_144,
)


class Usage(faust.Record, isodates=True, serializer="json"):  # type: ignore[call-arg]
    time: datetime
    region: str
    model: str
    input_tokens: int
    output_tokens: int


class UsageByTenant(Usage, isodates=True, serializer="json"):  # type: ignore[call-arg]
    tenant: str
    provider: str


usage_type = UsageByTenant if grain is HOURS else Usage
topic = app.topic(task.topic, value_type=usage_type, key_serializer="raw")
columns = attrgetter(*grain.columns)
tokens = (
    app.Table("tokens", default=lambda: [0, 0], partitions=task.partitions)
    .tumbling(timedelta(seconds=grain.window_seconds), expires=timedelta(hours=2))
    .relative_to_field(Usage.time)
)


@app.agent(topic)
async def add_up(usages: faust.Stream[Usage]) -> None:
    count = 0
    clock = Clock()
    async for usage in usages:
        if not count:
            clock = Clock()
        key = "|".join(columns(usage))
        before = tokens[key].value()
        tokens[key] = [before[0] + usage.input_tokens, before[1] + usage.output_tokens]
        count += 1
        if count == task.events:
            clock.stop()
            finish(clock, count)


def finish(clock: Clock, count: int) -> None:
    kept: dict[Any, list[int]] = dict(tokens.table.items())
    groups = {f"{int(start)}|{key}": total for (key, (start, _)), total in kept.items()}
    print_report(reported(clock, count, groups, versions("faust-streaming", "aiokafka")))
    os._exit(0)  # an orderly end would take seconds and saves nothing here


if __name__ == "__main__":
    app.Worker(loglevel="warning", redirect_stdouts=False).execute_from_commandline()
