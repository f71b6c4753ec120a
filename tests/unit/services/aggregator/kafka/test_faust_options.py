"""What Faust is told, and what it makes of it: options that it takes, and a consumer with them."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiokafka
import faust
import pytest

from services.aggregator.kafka.faust_options import credentials, faust_options
from services.aggregator.kafka.transport import ConsumerThread, Transport
from services.aggregator.settings import AggregatorSettings
from services.platform.errors import ConfigurationError
from tests.secured.certificates import Authority


def options(**given: Any) -> dict[str, Any]:
    return faust_options(AggregatorSettings(**given))


def app(**given: Any) -> Any:
    """An app that is set up and connects to nothing."""
    return faust.App("group", **options(**given))


def consumer(**given: Any) -> Any:
    """The consumer that Faust would read with."""

    async def made() -> aiokafka.AIOKafkaConsumer:
        thread = ConsumerThread.__new__(ConsumerThread)
        thread.app = app(**given)
        thread.consumer = SimpleNamespace(in_transaction=False)
        consumer = thread._create_worker_consumer(thread.app.transport)
        await consumer.stop()
        return consumer

    return asyncio.run(made())


def test_faust_knows_each_option() -> None:
    given, conf = options(), app().conf
    brokers = given.pop("broker")
    assert {name: getattr(conf, name) for name in given} == given
    assert [str(url) for url in conf.broker] == brokers


def test_batches_come_by_our_transport_from_each_of_the_brokers() -> None:
    servers = " one:9092, two:9093 ,,[::1]:9094"
    assert options(kafka_bootstrap_servers=servers)["broker"] == [
        "wattoken://one:9092",
        "wattoken://two:9093",
        "wattoken://[::1]:9094",
    ]
    assert isinstance(app(kafka_bootstrap_servers="one:9092,two:9093").transport, Transport)
    found = consumer(kafka_bootstrap_servers="one:9092,two:9093")
    assert found._client._bootstrap_servers == ["one:9092", "two:9093"]


def test_a_leader_that_saw_no_topic_looks_again_within_seconds() -> None:
    """Kafka's usual five minutes would leave every worker of the group without partitions."""
    assert 0 < options()["consumer_metadata_max_age_ms"] <= 10_000
    assert 0 < consumer()._client._metadata_max_age_ms <= 10_000


def test_nothing_listens_and_nothing_is_made_or_imported_beside_the_meter() -> None:
    conf = app().conf
    assert not conf.web_enabled
    assert not conf.topic_allow_declare
    assert conf.topic_disable_leader
    assert not conf.autodiscover


def test_an_offset_that_is_gone_stops_the_worker() -> None:
    assert consumer()._auto_offset_reset == "none"


def test_a_long_recovery_is_no_reason_to_leave_the_group() -> None:
    # Ids of a day are read again in hours at the most.
    assert consumer()._max_poll_interval_ms >= 12 * 3600 * 1000


@pytest.mark.parametrize("session_seconds", [6.0, 30.0, 89.0, 90.0, 600.0])
def test_a_session_outlives_lost_heartbeats_and_an_answer_may_take_longer(
    session_seconds: float,
) -> None:
    found = consumer(aggregator_session_timeout_seconds=session_seconds)
    assert found._session_timeout_ms == session_seconds * 1000
    # Kafka's own advice is a third at the most.
    assert 0 < found._heartbeat_interval_ms <= found._session_timeout_ms / 3
    # Joining a group is answered when all of its members are there, or their sessions over.
    assert found._request_timeout_ms > found._session_timeout_ms


def test_a_worker_is_a_static_member_only_under_a_name() -> None:
    assert consumer()._group_instance_id is None
    assert consumer(aggregator_instance_id="meter-0")._group_instance_id == "meter-0"


def test_a_fetch_is_as_large_as_the_settings_say() -> None:
    assert consumer(aggregator_fetch_bytes_max=12_345)._max_partition_fetch_bytes == 12_345


def test_what_was_read_and_waits_is_bounded() -> None:
    # Each entry is a whole fetch of a partition, megabytes perhaps.
    assert 0 < app().conf.stream_buffer_maxsize <= 16
    assert not app().conf.stream_wait_empty


def test_plaintext_has_no_credentials() -> None:
    assert credentials(AggregatorSettings()) is None
    assert options()["broker_credentials"] is None
    assert consumer()._client._security_protocol == "PLAINTEXT"


def secured(protocol: str, folder: Path) -> dict[str, Any]:
    given: dict[str, Any] = {"kafka_security_protocol": protocol}
    if protocol.startswith("SASL"):
        password = folder / "password"
        password.write_text("secret\n")
        given |= {"kafka_sasl_username": "meter", "kafka_sasl_password_file": password}
    if protocol.endswith("SSL"):
        given["kafka_ssl_ca_file"] = Authority(folder / "ca").certificate
    return given


@pytest.mark.parametrize("protocol", ["SSL", "SASL_PLAINTEXT", "SASL_SSL"])
def test_what_protects_the_connection_reaches_the_client(protocol: str, tmp_path: Path) -> None:
    client = consumer(**secured(protocol, tmp_path))._client
    assert client._security_protocol == protocol
    context = client._ssl_context
    assert (context is not None) == protocol.endswith("SSL")
    if context is not None:
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
        assert len(context.get_ca_certs()) == 1, "whoever else the system trusts signs no broker"
    if protocol.startswith("SASL"):
        assert client._sasl_mechanism == "SCRAM-SHA-512"
        assert client._sasl_plain_username == "meter"
        assert client._sasl_plain_password == "secret"


def test_credentials_that_lack_something_are_refused_before_faust_sees_them() -> None:
    with pytest.raises(ConfigurationError, match="WATTOKEN_KAFKA_SASL_USERNAME"):
        options(kafka_security_protocol="SASL_SSL")
