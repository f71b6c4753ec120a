"""A stock Faust agent at its leanest: our own decoder (msgspec) and sums in a plain dict.

One worker, raw bytes in, no table, no changelog, nothing written anywhere.
"""

from __future__ import annotations

import os
from operator import attrgetter

import faust

from bench.peers.grain import GRAINS
from bench.peers.task import Clock, print_report, read_task, reported, versions
from schemas.wire import decode

task = read_task()
grain = GRAINS[task.grain]
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
columns = attrgetter(*grain.columns)
sums: dict[tuple[int, tuple[str, ...]], list[int]] = {}


@app.agent(topic)
async def add_up(records: faust.Stream[bytes]) -> None:
    count = 0
    clock = Clock()
    async for record in records:
        if not count:
            clock = Clock()
        event = decode(record)
        key = (int(event.time.timestamp()) // grain.window_seconds, columns(event))
        total = sums.get(key)
        if total is None:
            total = sums[key] = [0, 0]
        total[0] += event.input_tokens
        total[1] += event.output_tokens
        count += 1
        if count == task.events:
            clock.stop()
            finish(clock, count)


def finish(clock: Clock, count: int) -> None:
    groups = {
        "|".join((str(window * grain.window_seconds), *words)): tokens
        for (window, words), tokens in sums.items()
    }
    packages = versions("faust-streaming", "aiokafka", "msgspec")
    print_report(reported(clock, count, groups, packages))
    os._exit(0)  # an orderly end would take seconds and saves nothing here


if __name__ == "__main__":
    app.Worker(loglevel="warning", redirect_stdouts=False).execute_from_commandline()
