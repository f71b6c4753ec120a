"""Who leads which partition of a topic, and having it led by another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from confluent_kafka import ElectionType, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

ANSWER_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Led:
    """A partition: brokers by the numbers of their nodes, the preferred leader first."""

    leader: int
    replicas: tuple[int, ...]
    in_sync: frozenset[int]


def leaders(bootstrap_servers: str, topic: str) -> dict[int, Led]:
    """The partitions of a topic; none while nobody answers."""
    # A client of its own each time: after a change of leader an old one may not recover.
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    try:
        told = admin.list_topics(topic, timeout=ANSWER_SECONDS).topics[topic]
    except KafkaException:
        return {}
    return {
        number: Led(each.leader, tuple(each.replicas), frozenset(each.isrs))
        for number, each in told.partitions.items()
    }


def elect_preferred(bootstrap_servers: str, topic: str, partitions: int) -> bool:
    """Have each partition led by the first of its replicas; False while the cluster is not able."""
    # Timeouts in the configuration: the call itself (confluent-kafka 2.16) takes none.
    admin = AdminClient(
        {
            "bootstrap.servers": bootstrap_servers,
            "socket.timeout.ms": int(ANSWER_SECONDS * 1000),
            "log_level": 0,
        }
    )
    asked = [TopicPartition(topic, number) for number in range(partitions)]
    try:
        told = admin.elect_leaders(ElectionType.PREFERRED, asked)
        answers = told.result(2 * ANSWER_SECONDS).values()
    except (KafkaException, TimeoutError):
        return False
    return all(each is None or _code(each) == KafkaError.ELECTION_NOT_NEEDED for each in answers)


def _code(error: KafkaException | KafkaError) -> int:
    inner = error.args[0] if isinstance(error, KafkaException) else error
    code: int = inner.code()
    return code
