"""ClickHouse by itself: a Kafka engine table, a materialized view, a SummingMergeTree.

Runs inside the ClickHouse server of the local stack, with two consumers in threads of their own
(one for each core here). JSON is parsed by ClickHouse's own JSONEachRow. Timed from the moment
``system.kafka_consumers`` shows the first message to the moment the sums show the last one, both
looked up every 50 ms, the sums only once all messages are read; its flush interval is 1 s, as the
aggregator's is.
"""

from __future__ import annotations

import time

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from bench.peers.grain import GRAINS, Grain, clickhouse_sums
from bench.peers.task import Clock, Report, Task, print_report, read_task, versions

POLL_SECONDS = 0.05
CONSUMERS = 2
#: Columns of the events, by which sums are kept.
TYPES = {
    "tenant": "String",
    "region": "LowCardinality(String)",
    "provider": "LowCardinality(String)",
    "model": "LowCardinality(String)",
}

TABLES = (
    """
CREATE TABLE usage
(
    time          DateTime64(3, 'UTC'),
    {typed},
    input_tokens  UInt64,
    output_tokens UInt64
)
ENGINE = Kafka
SETTINGS
    kafka_broker_list = '{brokers}',
    kafka_topic_list = '{topic}',
    kafka_group_name = '{group}',
    kafka_format = 'JSONEachRow',
    kafka_num_consumers = {consumers},
    kafka_thread_per_consumer = 1,
    kafka_flush_interval_ms = 1000,
    date_time_input_format = 'best_effort',
    input_format_skip_unknown_fields = 1
""",
    """
CREATE TABLE usage_windows
(
    window_start  DateTime('UTC'),
    {typed},
    requests      UInt64,
    input_tokens  UInt64,
    output_tokens UInt64
)
ENGINE = SummingMergeTree
ORDER BY (window_start, {columns})
""",
    """
CREATE MATERIALIZED VIEW usage_to_windows TO usage_windows AS
SELECT
    {window_of}(time) AS window_start,
    {columns},
    count()            AS requests,
    sum(input_tokens)  AS input_tokens,
    sum(output_tokens) AS output_tokens
FROM usage
GROUP BY window_start, {columns}
""",
)
TOTALS = "SELECT sum(requests), sum(input_tokens), sum(output_tokens) FROM usage_windows"


def main() -> None:
    task = read_task()
    database = f"bench_{task.group}".replace("-", "_")
    server = clickhouse_connect.get_client(host="127.0.0.1", port=task.clickhouse_port)
    server.command(f"CREATE DATABASE {database}")
    client = clickhouse_connect.get_client(
        host="127.0.0.1", port=task.clickhouse_port, database=database
    )
    try:
        print_report(measure(client, task, database))
    finally:
        server.command(f"DROP DATABASE {database} SYNC")


def tables(task: Task, grain: Grain) -> list[str]:
    """The statements that make the tables."""
    return [
        table.format(
            typed=",\n    ".join(f"{column} {TYPES[column]}" for column in grain.columns),
            columns=", ".join(grain.columns),
            window_of=f"toStartOf{grain.name.capitalize()}",
            brokers=task.bootstrap_servers,
            topic=task.topic,
            group=task.group,
            consumers=min(CONSUMERS, task.partitions),
        )
        for table in TABLES
    ]


def measure(client: Client, task: Task, database: str) -> Report:
    """Make the tables and wait until all is summed."""
    grain = GRAINS[task.grain]
    for table in tables(task, grain):
        client.command(table)
    asked = f"SELECT sum(num_messages_read) FROM system.kafka_consumers WHERE database='{database}'"

    def read() -> int:
        return int(client.query(asked).first_row[0])

    while not read():
        time.sleep(POLL_SECONDS)
    clock = Clock()
    # Adding up all rows takes time of the processors that are measured.
    while read() < task.events:
        time.sleep(POLL_SECONDS)
    while True:
        requests, input_tokens, output_tokens = map(int, client.query(TOTALS).first_row)
        clock.stop()
        if requests >= task.events:
            break
        time.sleep(POLL_SECONDS)
    groups, fingerprint = map(int, client.query(clickhouse_sums(grain, "usage_windows")).first_row)
    packages = {"clickhouse": client.server_version, **versions("clickhouse-connect")}
    return Report(
        *(requests, clock.started_at, clock.seconds, input_tokens, output_tokens),
        *(groups, fingerprint, packages),
    )


if __name__ == "__main__":
    main()
