"""The process that holds an admin client and answers questions to Kafka, a line of JSON each.

Started by `services.platform.kafka_questions`, which says why. The first line is the client's
configuration. It asks whatever it is asked once, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, NamedTuple

from confluent_kafka import IsolationLevel, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import OffsetSpec

from services.platform.errors import ConfigurationError, UnavailableError
from services.platform.kafka import (
    ADMIN_TIMEOUT_SECONDS,
    ExplainingAdmin,
    describe_log,
    require_answer,
)
from services.platform.kafka_reasons import REFUSED_CODES
from services.platform.kafka_security import aiokafka_options

NAMED = {"earliest": OffsetSpec.earliest(), "latest": OffsetSpec.latest()}


class Asking(NamedTuple):
    """What questions are asked with: a client that is kept, and what others are made from."""

    admin: ExplainingAdmin
    config: dict[str, Any]


def main() -> None:
    """Answer until whoever asks is no more."""
    # Whoever started it ends it; a Ctrl-C or a stop meant for that one must not cut an answer off.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    lines = sys.stdin.buffer
    config = json.loads(lines.readline())
    asking = Asking(ExplainingAdmin(config), config)
    for line in lines:
        sys.stdout.buffer.write(json.dumps(answer(asking, json.loads(line))).encode() + b"\n")
        sys.stdout.buffer.flush()


def answer(asking: Asking, question: dict[str, Any]) -> dict[str, Any]:
    """Answer one question: what was found, or an error and whether it is final."""
    try:
        return {"found": QUESTIONS[question.pop("ask")](asking, **question)}
    except ConfigurationError as error:
        return {"error": str(error), "final": True}
    except UnavailableError as error:
        return {"error": str(error), "final": False}
    except KafkaException as error:
        return {"error": str(asking.admin.unanswered(error)), "final": False}


def describe(asking: Asking, topic: str) -> dict[str, Any]:
    """Which log a topic is."""
    log = describe_log(asking.admin, topic)
    return {"cluster_id": log.cluster_id, "topic_id": log.topic_id, "partitions": log.partitions}


def cluster(asking: Asking) -> dict[str, Any]:
    """Which cluster it is."""
    found = asking.admin.describe_cluster(request_timeout=ADMIN_TIMEOUT_SECONDS).result()
    return {"cluster_id": found.cluster_id}


def hello(asking: Asking) -> dict[str, Any]:
    """Nothing, from a broker that answers soon."""
    require_answer(asking.admin)
    return {}


def offsets(
    asking: Asking, topic: str, at: dict[str, int | str], committed: bool
) -> dict[int, int]:
    """Offsets by partition, each ``at`` "earliest", "latest" or a time in milliseconds."""
    asked = {TopicPartition(topic, int(name)): spec(moment) for name, moment in at.items()}
    level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
    answers = asking.admin.list_offsets(
        asked, isolation_level=level, request_timeout=ADMIN_TIMEOUT_SECONDS
    )
    return {place.partition: reply.result().offset for place, reply in answers.items()}


def rights(asking: Asking, topics: list[str], group: str) -> dict[str, dict[str, list[str] | None]]:
    """What we may do with topics and with a group; None where that is not known."""
    described = asking.admin.describe_topics(
        TopicCollection(topics),
        include_authorized_operations=True,
        request_timeout=ADMIN_TIMEOUT_SECONDS,
    )
    groups = asking.admin.describe_consumer_groups(
        [group], include_authorized_operations=True, request_timeout=ADMIN_TIMEOUT_SECONDS
    )
    return {
        "topics": {name: operations(pending) for name, pending in described.items()},
        "groups": {name: operations(pending) for name, pending in groups.items()},
    }


def operations(pending: Future[Any]) -> list[str] | None:
    """Names of the operations that a description says we may do."""
    try:
        allowed = pending.result().authorized_operations
    except KafkaException as error:
        # No such topic, or a group whose coordinator is still being found, says nothing of rights.
        return [] if error.args[0].code() in REFUSED_CODES else None
    # Who is told of a thing may describe it, so where nothing is listed the broker does not tell.
    return [one.name for one in allowed or ()] or None


def spec(moment: int | str) -> OffsetSpec:
    """Kafka's way to say which offset is meant."""
    return NAMED[moment] if isinstance(moment, str) else OffsetSpec.for_timestamp(moment)


def commits(
    asking: Asking, group: str, topic: str, partitions: list[int]
) -> dict[int, tuple[int, str]]:
    """Offset and metadata that a group committed, by partition; missing where it never did."""
    return asyncio.run(committed(asking.config, group, topic, partitions))


async def committed(
    config: dict[str, Any], group: str, topic: str, partitions: list[int]
) -> dict[int, tuple[int, str]]:
    """The same, asked through aiokafka: librdkafka reads on beyond the end of the metadata."""
    # Here, for it takes longer to import than all the rest, and most of these processes, which may
    # be started while a broker comes back, are never asked this.
    from aiokafka import TopicPartition as AioTopicPartition
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.errors import KafkaError

    admin = AIOKafkaAdminClient(
        bootstrap_servers=config["bootstrap.servers"],
        request_timeout_ms=int(1000 * ADMIN_TIMEOUT_SECONDS),
        **aiokafka_options(config),
    )
    try:
        await admin.start()
        asked = [AioTopicPartition(topic, partition) for partition in partitions]
        found = await admin.list_consumer_group_offsets(group, partitions=asked)
    except (KafkaError, OSError, TimeoutError) as error:
        raise UnavailableError(f"Kafka does not give the group's offsets: {error!r}") from error
    finally:
        await admin.close()
    return {
        place.partition: (commit.offset, commit.metadata or "")
        for place, commit in found.items()
        if commit.offset >= 0
    }


QUESTIONS: dict[str, Callable[..., dict[Any, Any]]] = {
    "cluster": cluster,
    "describe": describe,
    "hello": hello,
    "offsets": offsets,
    "commits": commits,
    "rights": rights,
}

if __name__ == "__main__":
    main()
