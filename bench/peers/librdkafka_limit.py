"""The limit: a bare confluent-kafka consumer that touches each value and does nothing with it.

One process, one consumer of all partitions, up to 10,000 messages a call. Tuned for catching up as
librdkafka's documentation has it: by default it stops fetching at 64 MB or 100,000 messages in its
queues and then waits a second. Here it may fetch ahead what fits into 1 GB, up to 16 MB of a
partition at once, and commits nothing. It sums nothing, so nothing of its sums is checked, only the
number of messages.
"""

from __future__ import annotations

from confluent_kafka import Consumer

from bench.peers.grain import NO_SUMS
from bench.peers.task import Clock, Report, print_report, read_task, versions

MESSAGES_PER_CALL = 10_000


def main() -> None:
    task = read_task()
    consumer = Consumer(
        {
            "bootstrap.servers": task.bootstrap_servers,
            "group.id": task.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "queued.min.messages": 10_000_000,
            "queued.max.messages.kbytes": 1_000_000,
            "max.partition.fetch.bytes": 16_000_000,
            "fetch.max.bytes": 64_000_000,
        }
    )
    consumer.subscribe([task.topic])
    count = 0
    clock = Clock()
    while count < task.events:
        messages = consumer.consume(MESSAGES_PER_CALL, 1.0)
        if messages and not count:
            clock = Clock()
        for message in messages:
            if message.error() is None and message.value():
                count += 1
        clock.stop()
    sums = (0, 0, NO_SUMS.groups, NO_SUMS.fingerprint)
    packages = versions("confluent-kafka")
    print_report(Report(count, clock.started_at, clock.seconds, *sums, packages))
    consumer.close()


if __name__ == "__main__":
    main()
