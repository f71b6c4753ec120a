"""ClickHouse by itself: a Kafka engine table, a materialized view, a SummingMergeTree.

Runs inside the ClickHouse server of the local stack, with two consumers in threads of their own
(one for each core here). JSON is parsed by ClickHouse's own JSONEachRow. Timed from the moment
``system.kafka_consumers`` shows the first message to the moment the sums show the last one, both
looked up every 50 ms; its flush interval is 1 s, as the aggregator's is.
"""

from __future__ import annotations

import time

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from bench.peers.task import Report, Task, print_report, read_task, versions

POLL_SECONDS = 0.05
CONSUMERS = 2

TABLES = (
    """
CREATE TABLE usage
(
    time          DateTime64(3, 'UTC'),
    region        LowCardinality(String),
    model         LowCardinality(String),
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
CREATE TABLE usage_minute
(
    window_start  DateTime('UTC'),
    region        LowCardinality(String),
    model         LowCardinality(String),
    requests      UInt64,
    input_tokens  UInt64,
    output_tokens UInt64
)
ENGINE = SummingMergeTree
ORDER BY (window_start, region, model)
""",
    """
CREATE MATERIALIZED VIEW usage_to_minute TO usage_minute AS
SELECT
    toStartOfMinute(time) AS window_start,
    region,
    model,
    count()               AS requests,
    sum(input_tokens)     AS input_tokens,
    sum(output_tokens)    AS output_tokens
FROM usage
GROUP BY window_start, region, model
""",
)
SUMS = "SELECT sum(requests), sum(input_tokens), sum(output_tokens) FROM usage_minute"


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


def measure(client: Client, task: Task, database: str) -> Report:
    """Make the tables and wait until all is summed."""
    for table in TABLES:
        client.command(
            table.format(
                brokers=task.bootstrap_servers,
                topic=task.topic,
                group=task.group,
                consumers=min(CONSUMERS, task.partitions),
            )
        )
    read = f"SELECT sum(num_messages_read) FROM system.kafka_consumers WHERE database='{database}'"
    while not client.query(read).first_row[0]:
        time.sleep(POLL_SECONDS)
    started = time.monotonic()
    while True:
        requests, input_tokens, output_tokens = client.query(SUMS).first_row
        seconds = time.monotonic() - started
        if requests >= task.events:
            break
        time.sleep(POLL_SECONDS)
    versioned = {"clickhouse": client.server_version, **versions("clickhouse-connect")}
    return Report(int(requests), seconds, int(input_tokens), int(output_tokens), versioned)


if __name__ == "__main__":
    main()
