"""The process that holds an admin client and answers questions to Kafka, a line of JSON each.

Started by `services.platform.kafka_questions`, which says why. The first line is the client's
configuration. It asks whatever it is asked once, and ends when its standard input does.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from typing import Any

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from services.platform.errors import ConfigurationError, UnavailableError
from services.platform.kafka import ADMIN_TIMEOUT_SECONDS, describe_log

NAMED = {"earliest": OffsetSpec.earliest(), "latest": OffsetSpec.latest()}


def main() -> None:
    """Answer until whoever asks is no more."""
    # Whoever started it ends it; a Ctrl-C or a stop meant for that one must not cut an answer off.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    lines = sys.stdin.buffer
    admin = AdminClient({**json.loads(lines.readline()), "log_level": 0})
    for line in lines:
        sys.stdout.buffer.write(json.dumps(answer(admin, json.loads(line))).encode() + b"\n")
        sys.stdout.buffer.flush()


def answer(admin: AdminClient, question: dict[str, Any]) -> dict[str, Any]:
    """Answer one question: what was found, or an error and whether it is final."""
    try:
        return {"found": QUESTIONS[question.pop("ask")](admin, **question)}
    except ConfigurationError as error:
        return {"error": str(error), "final": True}
    except UnavailableError as error:
        return {"error": str(error), "final": False}
    except KafkaException as error:
        return {"error": f"Kafka does not answer: {error.args[0].str()}", "final": False}


def describe(admin: AdminClient, topic: str) -> dict[str, Any]:
    """Which log a topic is."""
    log = describe_log(admin, topic)
    return {"cluster_id": log.cluster_id, "topic_id": log.topic_id, "partitions": log.partitions}


def offsets(
    admin: AdminClient, topic: str, at: dict[str, int | str], committed: bool
) -> dict[int, int]:
    """Offsets by partition, each ``at`` "earliest", "latest" or a time in milliseconds."""
    asked = {TopicPartition(topic, int(name)): spec(moment) for name, moment in at.items()}
    level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
    answers = admin.list_offsets(
        asked, isolation_level=level, request_timeout=ADMIN_TIMEOUT_SECONDS
    )
    return {place.partition: reply.result().offset for place, reply in answers.items()}


def spec(moment: int | str) -> OffsetSpec:
    """Kafka's way to say which offset is meant."""
    return NAMED[moment] if isinstance(moment, str) else OffsetSpec.for_timestamp(moment)


def commits(
    admin: AdminClient, group: str, topic: str, partitions: list[int]
) -> dict[int, tuple[int, str]]:
    """Offset and metadata that a group committed, by partition; missing where it never did."""
    asked = [TopicPartition(topic, partition) for partition in partitions]
    answers = admin.list_consumer_group_offsets(
        [ConsumerGroupTopicPartitions(group, asked)], request_timeout=ADMIN_TIMEOUT_SECONDS
    )
    found = answers[group].result().topic_partitions
    refused = next((place.error for place in found if place.error is not None), None)
    if refused is not None:
        raise UnavailableError(f"Kafka does not give the group's offsets: {refused.str()}")
    return {
        place.partition: (place.offset, place.metadata or "")
        for place in found
        if place.offset >= 0
    }


QUESTIONS: dict[str, Callable[..., dict[Any, Any]]] = {
    "describe": describe,
    "offsets": offsets,
    "commits": commits,
}

if __name__ == "__main__":
    main()
