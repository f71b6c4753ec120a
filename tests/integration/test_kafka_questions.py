"""Questions to a real broker through a child process, and what may befall child and broker."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from confluent_kafka import Producer
from confluent_kafka.admin import NewTopic

from services.local_stack.infrastructure import Infrastructure
from services.platform.errors import ConfigurationError, UnavailableError
from services.platform.kafka import admin_client
from services.platform.kafka_questions import Commit, KafkaQuestions
from services.platform.settings import KafkaSettings
from tests.waiting import eventually

PARTITIONS = range(3)


@pytest.fixture(scope="module")
def settings(infrastructure: Infrastructure) -> KafkaSettings:
    return KafkaSettings(kafka_bootstrap_servers=infrastructure.bootstrap_servers)


@pytest.fixture
def topic(settings: KafkaSettings) -> str:
    name = f"asked-{uuid4().hex[:8]}"
    admin = admin_client(settings)
    config = {"message.timestamp.type": "LogAppendTime"}
    admin.create_topics([NewTopic(name, 3, 1, config=config)])[name].result()
    return name


@pytest.fixture
def questions(settings: KafkaSettings) -> Iterator[KafkaQuestions]:
    with ExitStack() as ending:
        asked = KafkaQuestions(settings, answer_seconds=15)
        ending.callback(asked.close)
        yield asked


def produce(settings: KafkaSettings, topic: str, partition: int, count: int) -> None:
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap_servers})
    for number in range(count):
        producer.produce(topic, b"%d" % number, partition=partition)
    assert producer.flush(20) == 0


async def commit(
    settings: KafkaSettings, group: str, partition: TopicPartition, committed: Commit
) -> None:
    """Commit as a worker does: librdkafka writes bytes of its own behind the metadata."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers, group_id=group, enable_auto_commit=False
    )
    await consumer.start()
    try:
        consumer.assign([partition])
        await consumer.commit({partition: (committed.offset, committed.metadata)})
    finally:
        await consumer.stop()


def answer_of(question: Callable[[], object]) -> object:
    """The answer, or the error that a retry may fix."""
    try:
        return question()
    except UnavailableError as error:
        return error


def test_every_question(settings: KafkaSettings, topic: str, questions: KafkaQuestions) -> None:
    eventually("described", lambda: questions.describe(topic).partitions == 3)
    log = questions.describe(topic)
    assert (log.topic, log.partitions) == (topic, 3) and log.cluster_id and len(log.topic_id) == 22
    before_ms = int(time.time() * 1000)
    produce(settings, topic, 1, 5)
    assert questions.starts(topic, PARTITIONS) == {0: 0, 1: 0, 2: 0}
    assert questions.ends(topic, PARTITIONS) == {0: 0, 1: 5, 2: 0}
    assert questions.ends(topic, []) == {}
    assert questions.at(topic, {1: before_ms, 2: before_ms}) == {1: 0, 2: -1}
    # A broker that nobody asked for a group before has no coordinator yet.
    eventually("commits", lambda: answer_of(lambda: questions.commits("a", topic, [0])) == {})
    group = f"group-{topic}"
    asyncio.run(commit(settings, group, TopicPartition(topic, 1), Commit(4, "of a log")))
    assert questions.commits(group, topic, PARTITIONS) == {1: Commit(4, "of a log")}


def test_an_open_transaction_ends_what_can_be_read(
    settings: KafkaSettings, topic: str, questions: KafkaQuestions
) -> None:
    produce(settings, topic, 0, 2)
    producer = Producer(
        {"bootstrap.servers": settings.kafka_bootstrap_servers, "transactional.id": topic}
    )
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(topic, b"open", partition=0)
    assert producer.flush(20) == 0
    assert questions.ends(topic, [0]) == {0: 3}
    assert questions.stable_ends(topic, [0]) == {0: 2}
    producer.abort_transaction(20)
    eventually("aborted", lambda: questions.stable_ends(topic, [0]) == {0: 4})


def test_no_such_topic(questions: KafkaQuestions) -> None:
    with pytest.raises(ConfigurationError, match="wattoken migrate"):
        questions.describe("no-such-topic")


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGABRT])
def test_the_child_may_die(topic: str, questions: KafkaQuestions, ending: signal.Signals) -> None:
    """An assertion of librdkafka ends the process that it is in: it must not be ours."""
    questions.ends(topic, PARTITIONS)
    first = questions.pid
    assert first is not None
    os.kill(first, ending)
    with pytest.raises(UnavailableError, match="ended with"):
        questions.ends(topic, PARTITIONS)
    assert questions.ends(topic, PARTITIONS) == {0: 0, 1: 0, 2: 0}
    assert questions.pid not in (None, first)


def test_the_child_ends_with_its_user(topic: str, settings: KafkaSettings) -> None:
    questions = KafkaQuestions(settings)
    questions.ends(topic, PARTITIONS)
    pid = questions.pid
    questions.close()
    assert pid is not None and not os.path.exists(f"/proc/{pid}")
    questions.close()


@pytest.mark.faults
def test_a_broker_that_stands_still(
    infrastructure: Infrastructure, topic: str, settings: KafkaSettings
) -> None:
    # Less than librdkafka itself would wait.
    questions = KafkaQuestions(settings, answer_seconds=8)
    questions.ends(topic, PARTITIONS)
    infrastructure.broker.kill(signal.SIGSTOP)
    try:
        with pytest.raises(UnavailableError, match="in time"):
            questions.ends(topic, PARTITIONS)
        assert questions.pid is None
    finally:
        infrastructure.broker.kill(signal.SIGCONT)
    slow = KafkaQuestions(settings)
    # Its controller may have given it up meanwhile: then leaders are elected again first.
    ends = partial(slow.ends, topic, PARTITIONS)
    eventually("an answer", lambda: answer_of(ends) == {0: 0, 1: 0, 2: 0})
    slow.close()


@pytest.mark.faults
def test_a_broker_that_was_killed(
    infrastructure: Infrastructure, topic: str, questions: KafkaQuestions
) -> None:
    """The leader epoch is another by then, which librdkafka's client never gets over."""
    questions.ends(topic, PARTITIONS)
    infrastructure.broker.kill(signal.SIGKILL)
    infrastructure.broker.restart()

    ends = partial(questions.ends, topic, PARTITIONS)
    eventually("an answer", lambda: answer_of(ends) == {0: 0, 1: 0, 2: 0})
