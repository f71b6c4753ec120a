"""Stock Faust as its documentation does it: a tumbling table of one minute, JSON into a Record.

One worker, memory store, changelog topic on as by default, table relative to the event's time.
Without the documentation's ``group_by``: one worker holds all partitions, so its sums are right
without a repartition topic, and it is faster for that.
"""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta

import faust

from bench.peers.task import Report, print_report, read_task, versions

task = read_task()
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


topic = app.topic(task.topic, value_type=Usage, key_serializer="raw")
tokens = (
    app.Table("tokens", default=lambda: [0, 0], partitions=task.partitions)
    .tumbling(timedelta(minutes=1), expires=timedelta(hours=1))
    .relative_to_field(Usage.time)
)


@app.agent(topic)
async def add_up(usages: faust.Stream[Usage]) -> None:
    count = 0
    started = 0.0
    async for usage in usages:
        if not count:
            started = time.monotonic()
        key = f"{usage.region}|{usage.model}"
        before = tokens[key].value()
        tokens[key] = [before[0] + usage.input_tokens, before[1] + usage.output_tokens]
        count += 1
        if count == task.events:
            finish(count, time.monotonic() - started)


def finish(count: int, seconds: float) -> None:
    sums = [value for _, value in tokens.table.items()]
    input_tokens, output_tokens = (sum(column) for column in zip(*sums, strict=True))
    versioned = versions("faust-streaming", "aiokafka")
    print_report(Report(count, seconds, input_tokens, output_tokens, versioned))
    os._exit(0)  # an orderly end would take seconds and saves nothing here


if __name__ == "__main__":
    app.Worker(loglevel="warning", redirect_stdouts=False).execute_from_commandline()
