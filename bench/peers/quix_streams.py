"""Quix Streams: re-keyed by region and model, summed in a tumbling window of one minute.

One process, as its documentation does it: JSON, ``group_by`` (which makes a repartition topic),
``tumbling_window(...).agg(Sum, Sum)``, state in RocksDB with its changelog topic. ``final()``
emits a window once, which is cheaper than ``current()``. The event's time is set again behind the
repartition topic. A message counts when it is about to be added to its window.

Runs in an environment of its own, `bench/quix-streams`.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from quixstreams import Application
from quixstreams.dataframe.windows import Sum

from bench.peers.task import Report, Task, print_report, read_task, versions

PACKAGES = ("quixstreams", "confluent-kafka", "rocksdict", "orjson")


class Counted:
    """Counts the messages that reach the windows, and reports when all have."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.count = self.input_tokens = self.output_tokens = 0
        self.started = 0.0

    def arrived(self, value: Any, key: Any, timestamp: int, headers: Any) -> int:
        """Note the first message and give the event's time, in milliseconds."""
        if not self.started:
            self.started = time.monotonic()
        return event_ms(value)

    def added(self, value: dict[str, Any]) -> None:
        """Count one message; after the last one, report and end."""
        self.count += 1
        self.input_tokens += value["input_tokens"]
        self.output_tokens += value["output_tokens"]
        if self.count == self.task.events:
            seconds = time.monotonic() - self.started
            sums = (self.input_tokens, self.output_tokens)
            print_report(Report(self.count, seconds, *sums, versions(*PACKAGES)))
            os._exit(0)  # an orderly end would take seconds and saves nothing here


def event_ms(value: dict[str, Any]) -> int:
    return int(datetime.fromisoformat(value["time"]).replace(tzinfo=UTC).timestamp() * 1000)


def main() -> None:
    task = read_task()
    counted = Counted(task)
    app = Application(
        broker_address=task.bootstrap_servers,
        consumer_group=task.group,
        auto_offset_reset="earliest",
        state_dir=task.work_dir,
        loglevel="WARNING",
    )
    topic = app.topic(
        task.topic,
        key_deserializer="bytes",
        value_deserializer="json",
        timestamp_extractor=counted.arrived,
    )
    frame = app.dataframe(topic)
    frame = frame.group_by(lambda value: f"{value['region']}|{value['model']}", name="series")
    frame = frame.set_timestamp(lambda value, key, timestamp, headers: event_ms(value))
    frame = frame.update(counted.added)
    frame.tumbling_window(timedelta(minutes=1), grace_ms=timedelta(minutes=10)).agg(
        input_tokens=Sum("input_tokens"), output_tokens=Sum("output_tokens")
    ).final()
    app.run()


if __name__ == "__main__":
    main()
