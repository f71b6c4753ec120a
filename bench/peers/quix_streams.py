"""Quix Streams: re-keyed by what is summed by, summed in a tumbling window.

One process, as its documentation does it: JSON, ``group_by`` (which makes a repartition topic),
``tumbling_window(...).agg(Sum, Sum)``, state in RocksDB with its changelog topic. ``current()``
tells each window's sums after each message, so what is checked is what the windows hold; that costs
a few percent more than ``final()``. The event's time is set again behind the repartition topic. A
message counts when it has been added to its window.

Runs in an environment of its own, `bench/quix-streams`.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from quixstreams import Application
from quixstreams.dataframe.windows import Sum

from bench.peers.grain import GRAINS
from bench.peers.task import Clock, Task, print_report, read_task, reported, versions

PACKAGES = ("quixstreams", "confluent-kafka", "rocksdict", "orjson")


class Counted:
    """Counts the messages that the windows have taken in, and reports when all are in."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.count = 0
        self.clock: Clock | None = None
        self.windows: dict[tuple[int, str], dict[str, int]] = {}

    def arrived(self, value: Any, key: Any, timestamp: int, headers: Any) -> int:
        """Note the first message and give the event's time, in milliseconds."""
        if self.clock is None:
            self.clock = Clock()
        return event_ms(value)

    def added(self, window: dict[str, int], key: str, timestamp: int, headers: Any) -> None:
        """Count one message by the window it went into; after the last one, report and end."""
        self.count += 1
        self.windows[window["start"], key] = window
        if self.count == self.task.events and self.clock is not None:
            self.clock.stop()
            groups = {
                f"{start // 1000}|{words}": (held["input_tokens"], held["output_tokens"])
                for (start, words), held in self.windows.items()
            }
            print_report(reported(self.clock, self.count, groups, versions(*PACKAGES)))
            os._exit(0)  # an orderly end would take seconds and saves nothing here


def event_ms(value: dict[str, Any]) -> int:
    return int(datetime.fromisoformat(value["time"]).replace(tzinfo=UTC).timestamp() * 1000)


def main() -> None:
    task = read_task()
    grain = GRAINS[task.grain]
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
    frame = frame.group_by(
        lambda value: "|".join([value[column] for column in grain.columns]), name="series"
    )
    frame = frame.set_timestamp(lambda value, key, timestamp, headers: event_ms(value))
    window = timedelta(seconds=grain.window_seconds)
    frame.tumbling_window(window, grace_ms=timedelta(minutes=10)).agg(
        input_tokens=Sum("input_tokens"), output_tokens=Sum("output_tokens")
    ).current().update(counted.added, metadata=True)
    app.run()


if __name__ == "__main__":
    main()
