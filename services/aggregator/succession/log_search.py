"""Which log a worker meters: the first of its chain that is not metered to its end.

A topic that was succeeded by another (`wattoken succeed`) is metered up to where it ended; then the
workers go over to the successor, each by starting again as a process that finds that one here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Final

from clickhouse_connect.driver.client import Client

from services.aggregator.errors import LogReplacedError
from services.aggregator.settings import AggregatorSettings
from services.aggregator.succession.lineage import Lineage, check_partitions, lineage_of
from services.platform.clickhouse import connect
from services.platform.errors import ConfigurationError, UnavailableError
from services.platform.kafka_log import Log
from services.platform.kafka_questions import KafkaQuestions
from services.platform.log import get_logger
from services.platform.succession import Succession, chain_of, topic_to_meter
from services.platform.succession_table import (
    read_beginnings,
    read_next_offsets,
    read_successions,
)

logger = get_logger(__name__)

RETRY_SECONDS: Final = 1.0


def wait_for_log(
    settings: AggregatorSettings, questions: KafkaQuestions, told: Callable[[str], None]
) -> Lineage:
    """Find the log to meter now and see that it may be read, however long Kafka or ClickHouse take.

    A worker that ended because one of them was away would be started again and again, by whoever
    looks after it ever less often. ``told`` is handed the reason each time that it has to wait.
    Raises what `find_lineage` raises but `UnavailableError`.
    """
    while True:
        try:
            lineage = find_lineage(settings, questions)
            topics = (lineage.log.topic, settings.kafka_successions_topic)
            questions.require_read(topics, lineage.group)
        except UnavailableError as error:
            logger.warning("retrying", what="find the log", error=str(error))
            told(str(error))
            time.sleep(RETRY_SECONDS)
        else:
            return lineage


def find_lineage(settings: AggregatorSettings, questions: KafkaQuestions) -> Lineage:
    """Find the log to meter now.

    Raises `UnavailableError` when Kafka or ClickHouse does not answer, `ConfigurationError` when
    there is no such topic or ClickHouse refuses, `MeteringStoppedError` when going on would be
    guessing.
    """
    cluster_id = questions.cluster_id()
    with closing(connect(settings)) as client:
        return search(settings, questions, client, cluster_id)


def find_lineages(settings: AggregatorSettings, questions: KafkaQuestions) -> list[Lineage]:
    """Find the log to meter now, and those that followed it. Raises what `find_lineage` raises."""
    first = find_lineage(settings, questions)
    found = [first]
    with closing(connect(settings)) as client:
        stored = read_successions(client)
    chain = chain_of(
        [one for one in stored if one.cluster_id == first.log.cluster_id], settings.kafka_topic
    )
    while (after := found[-1].successor) is not None:
        log = questions.describe(after.topic)
        found.append(lineage_of(chain, log, settings.aggregator_group))
    return found


def search(
    settings: AggregatorSettings, questions: KafkaQuestions, client: Client, cluster_id: str
) -> Lineage:
    """Do it once."""
    found = [one for one in read_successions(client) if one.cluster_id == cluster_id]
    chain = chain_of(found, settings.kafka_topic)
    left = {
        one.predecessor_log: one.unmetered(read_next_offsets(client, one.predecessor_log))
        for one in chain
    }
    topic = topic_to_meter(chain, settings.kafka_topic, lambda one: left[one.predecessor_log])
    log = describe(questions, chain, topic, left)
    lineage = lineage_of(chain, log, settings.aggregator_group)
    recorded = len(read_beginnings(client, log.name))
    if recorded:
        check_partitions(replace(log, partitions=recorded), log.partitions, lineage)
    logger.info(
        "log found",
        **{"log": log.name, "topic": log.topic, "group": lineage.group},
        **{"predecessors": len(lineage.predecessors), "ended": lineage.successor is not None},
    )
    return lineage


def describe(
    questions: KafkaQuestions, chain: list[Succession], topic: str, left: dict[str, int]
) -> Log:
    """Describe the topic; where it is gone and had to be metered yet, that is told as a loss."""
    try:
        return questions.describe(topic)
    except ConfigurationError as error:
        after = next((one for one in chain if one.predecessor_topic == topic), None)
        if after is None:
            raise
        raise LogReplacedError(
            f"topic {topic} is gone, but {left[after.predecessor_log]} of its offsets were not"
            f" metered yet. Bring it back, or to go on with {after.topic} without them, see"
            " docs/runbook.md, 'The topic before is gone'"
        ) from error
