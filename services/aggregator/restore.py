"""Saying that an older database is intended, after a backup was restored or a database recreated.

Workers refuse a database that is behind what their group committed to Kafka: it may be a replica
that has not caught up. This sets the group's commits back to the database's checkpoints, so that
they agree again; workers then meter what lies between once more, exactly once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition

from services.aggregator.decoding.labels import Labels
from services.aggregator.kafka.log_offsets import LogOffsets
from services.aggregator.settings import AggregatorSettings
from services.aggregator.storage.clickhouse_sink import ClickHouseSink
from services.aggregator.succession.lineage import Lineage
from services.aggregator.succession.log_search import find_lineages
from services.platform.errors import ConfigurationError
from services.platform.kafka import ADMIN_TIMEOUT_SECONDS, admin_client
from services.platform.kafka_questions import KafkaQuestions


def accept_restore(settings: AggregatorSettings, report: Callable[[str], None]) -> None:
    """Set the group's commits to the checkpoints; a line per partition goes to ``report``.

    That is done for the log that workers begin with, and for those that followed it. Raises
    `ConfigurationError` while workers of the group run, `UnavailableError` when Kafka or ClickHouse
    does not answer.
    """
    questions = KafkaQuestions(settings)
    try:
        lineages = find_lineages(settings, questions)
        committed = [
            LogOffsets(questions, lineage.log, lineage.group).committed(
                range(lineage.log.partitions)
            )
            for lineage in lineages
        ]
    finally:
        questions.close()
    behind = [
        accept(settings, lineage, commits, report)
        for lineage, commits in zip(lineages, committed, strict=True)
    ]
    if not any(behind):
        report("the database is not behind the group's commits: nothing to accept")


def accept(
    settings: AggregatorSettings,
    lineage: Lineage,
    committed: Mapping[int, int],
    report: Callable[[str], None],
) -> bool:
    """Do it for one log; say whether there was anything to do."""
    log, group = lineage.log, lineage.group
    sink = ClickHouseSink(settings, log, Labels())
    try:
        checkpoints = {**sink.read_starts(range(log.partitions)), **sink.read_offsets()}
    finally:
        sink.close()
    wanted = {
        partition: checkpoints[partition]
        for partition, offset in committed.items()
        if partition in checkpoints and offset > checkpoints[partition]
    }
    if not wanted:
        return False
    changes = [
        TopicPartition(log.topic, number, offset, log.name) for number, offset in wanted.items()
    ]
    # Held until its answer has come: a client that is dropped answers nothing.
    admin = admin_client(settings)
    answers = admin.alter_consumer_group_offsets(
        [ConsumerGroupTopicPartitions(group, changes)],
        request_timeout=ADMIN_TIMEOUT_SECONDS,
    )
    try:
        done = answers[group].result().topic_partitions
    except KafkaException as error:
        raise ConfigurationError(
            f"cannot set the commits of {group} back: stop its workers first"
            f" ({error.args[0].str()})"
        ) from None
    refused = [where for where in done if where.error is not None]
    if refused:
        raise ConfigurationError(
            f"cannot set the commits of {group} back: stop its workers first"
            f" ({refused[0].error.str()})"
        )
    for partition, offset in sorted(wanted.items()):
        report(
            f"{log.topic}, partition {partition}: metered again from {offset} (was"
            f" {committed[partition]})"
        )
    return True
