"""What clients are told, seen at a broker where one can be had, and what errors come to mean."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicCollection,
    TopicPartition,
    Uuid,
)
from confluent_kafka.admin import NewTopic

from services.platform import kafka
from services.platform.errors import ConfigurationError, UnavailableError
from services.platform.kafka import (
    ExplainingAdmin,
    admin_client,
    client_config,
    committed_reader_config,
    create_topic,
    describe_log,
    producer_config,
    reader_config,
)
from services.platform.kafka_log import Log
from services.platform.settings import KafkaSettings
from tests.unit.services.platform.kafka_in_process import PARTITIONS, KafkaInProcess

NOWHERE = KafkaSettings(kafka_bootstrap_servers="127.0.0.1:1")
#: Hashes of Kafka's own test (UtilsTest.testMurmur2).
MURMUR2 = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.fixture
def broker() -> Iterator[KafkaInProcess]:
    with KafkaInProcess() as made:
        yield made


def test_a_key_goes_where_the_java_clients_send_it(broker: KafkaInProcess) -> None:
    partitions: dict[bytes, int] = {}

    def report(error: KafkaError | None, message: Message) -> None:
        assert error is None
        partitions[message.key()] = message.partition()

    producer = Producer(producer_config(broker.settings))
    for key in MURMUR2:
        producer.produce("usage", key=key, value=b"", on_delivery=report)
    assert producer.flush(10) == 0
    assert partitions == {
        key: (hashed & 0x7FFFFFFF) % PARTITIONS for key, hashed in MURMUR2.items()
    }


def test_what_is_written_is_acknowledged_by_all_and_not_doubled_by_a_retry() -> None:
    config = producer_config(NOWHERE)
    assert config["acks"] == "all"
    assert config["enable.idempotence"] is True
    # Whoever lowers either meanwhile is refused by librdkafka itself.
    with pytest.raises(KafkaException, match="acks"):
        Producer({**config, "acks": 1})


def test_every_client_knows_where_kafka_is_and_who_we_are() -> None:
    settings = KafkaSettings(
        kafka_bootstrap_servers="kafka:9093",
        kafka_security_protocol="SASL_PLAINTEXT",
        kafka_sasl_username="ingest",
    )
    known = {"bootstrap.servers": "kafka:9093", "sasl.username": "ingest"}
    for config in (
        client_config(settings),
        producer_config(settings),
        reader_config(settings, "group"),
        committed_reader_config(settings, "group"),
    ):
        assert known.items() <= config.items()


def test_a_reader_of_a_stretch_hears_its_end_and_misses_nothing_in_silence(
    broker: KafkaInProcess,
) -> None:
    broker.put("usage", b"first", 0)
    reader = Consumer(committed_reader_config(broker.settings, "group"))
    reader.assign([TopicPartition("usage", 0, 0)])
    first, end = reader.poll(10), reader.poll(10)
    assert (first.error(), first.value()) == (None, b"first")
    assert end.error().code() == KafkaError._PARTITION_EOF
    # Beginning elsewhere instead would leave out what lay between.
    reader.assign([TopicPartition("usage", 0, 100)])
    assert reader.poll(10).error().code() == KafkaError._AUTO_OFFSET_RESET
    reader.close()


class Answering(ExplainingAdmin):
    """An admin client whose broker's answers are given: values, or errors."""

    def __init__(self, *, cluster: Any = None, topic: Any = None, created: Any = None) -> None:
        super().__init__(client_config(NOWHERE))
        self._cluster = cluster
        self._topic = topic
        self._created = created

    def describe_cluster(self, **_: Any) -> Future[Any]:
        return answered(self._cluster)

    def describe_topics(self, topics: TopicCollection, **_: Any) -> dict[str, Future[Any]]:
        return {name: answered(self._topic) for name in topics.topic_names}

    def create_topics(self, new: list[NewTopic], **_: Any) -> dict[str, Future[Any]]:
        return {one.topic: answered(self._created) for one in new}


def answered(what: Any) -> Future[Any]:
    future: Future[Any] = Future()
    if isinstance(what, KafkaError):
        future.set_exception(KafkaException(what))
    else:
        future.set_result(what)
    return future


CLUSTER = SimpleNamespace(cluster_id="c1")
NEW = NewTopic("usage", num_partitions=1, replication_factor=1)


def test_a_log_is_named_by_ids_as_kafkas_own_tools_print_them() -> None:
    topic_id = Uuid(-0x0410_4104_1041_0411, -2)
    assert str(topic_id) == "++++++++++///////////g"
    described = SimpleNamespace(topic_id=topic_id, partitions=[object()] * 3)
    log = describe_log(Answering(cluster=CLUSTER, topic=described), "usage")
    assert log == Log("c1", "----------___________g", "usage", 3)


def test_a_topic_that_is_not_there_is_made_by_a_command() -> None:
    admin = Answering(cluster=CLUSTER, topic=KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
    with pytest.raises(ConfigurationError, match="no topic 'usage': .*`wattoken migrate`"):
        describe_log(admin, "usage")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, "wattoken grants"),
        (KafkaError.CLUSTER_AUTHORIZATION_FAILED, "wattoken grants"),
        (KafkaError.NOT_CONTROLLER, "Kafka does not answer: "),
        (KafkaError._TIMED_OUT, "Kafka does not answer: "),
    ],
)
def test_no_sound_answer_is_unavailable_and_says_why(code: int, told: str) -> None:
    error = KafkaError(code)
    for admin in (Answering(cluster=error), Answering(cluster=CLUSTER, topic=error)):
        with pytest.raises(UnavailableError, match=told):
            describe_log(admin, "usage")
    with pytest.raises(UnavailableError, match=f"cannot create topic usage: .*{told}"):
        create_topic(Answering(created=error), NEW)


def test_what_time_ran_out_for_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "ADMIN_TIMEOUT_SECONDS", 0.5)
    with pytest.raises(UnavailableError, match="nothing listens at 127.0.0.1:1"):
        describe_log(admin_client(NOWHERE), "usage")


def test_a_topic_is_created_once() -> None:
    assert create_topic(Answering(), NEW)
    there = KafkaError(KafkaError.TOPIC_ALREADY_EXISTS)
    assert not create_topic(Answering(created=there), NEW)
