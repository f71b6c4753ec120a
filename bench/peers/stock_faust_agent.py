"""A stock Faust agent at its leanest: our own decoder (msgspec) and sums in a plain dict.

One worker, raw bytes in, no table, no changelog, nothing written anywhere.
"""

from __future__ import annotations

import os
import time

import faust

from bench.peers.task import Report, print_report, read_task, versions
from schemas.wire import decode

task = read_task()
app = faust.App(
    task.group,
    broker=f"kafka://{task.bootstrap_servers}",
    store="memory://",
    datadir=task.work_dir,
    topic_disable_leader=True,
    consumer_auto_offset_reset="earliest",
    web_enabled=False,
)
topic = app.topic(task.topic, key_serializer="raw", value_serializer="raw")
sums: dict[tuple[int, str, str], list[int]] = {}


@app.agent(topic)
async def add_up(records: faust.Stream[bytes]) -> None:
    count = 0
    started = 0.0
    async for record in records:
        if not count:
            started = time.monotonic()
        event = decode(record)
        key = (int(event.time.timestamp()) // 60, event.region, event.model)
        total = sums.get(key)
        if total is None:
            total = sums[key] = [0, 0]
        total[0] += event.input_tokens
        total[1] += event.output_tokens
        count += 1
        if count == task.events:
            finish(count, time.monotonic() - started)


def finish(count: int, seconds: float) -> None:
    input_tokens, output_tokens = (sum(column) for column in zip(*sums.values(), strict=True))
    versioned = versions("faust-streaming", "aiokafka", "msgspec")
    print_report(Report(count, seconds, input_tokens, output_tokens, versioned))
    os._exit(0)  # an orderly end would take seconds and saves nothing here


if __name__ == "__main__":
    app.Worker(loglevel="warning", redirect_stdouts=False).execute_from_commandline()
