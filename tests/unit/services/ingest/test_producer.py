"""Publishing returns when every record is acknowledged, and never before."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from services.ingest.errors import BusyError
from services.ingest.metrics import IngestMetrics
from services.ingest.producer import Publisher, ingest_producer_config
from services.ingest.records import Record
from services.ingest.settings import IngestSettings
from tests.unit.services.ingest.fake_producer import FakeProducer

SETTINGS = IngestSettings(
    ingest_in_flight_bytes_max=1000,
    ingest_in_flight_events_max=10,
    ingest_delivery_timeout_seconds=0.1,
)


class Bench:
    """A publisher on fake producers; the newest of them is `kafka`."""

    def __init__(self) -> None:
        self.made: list[FakeProducer] = []
        self.metrics = IngestMetrics()
        self.publisher = Publisher(SETTINGS, self.metrics, self._make)
        self.left: int | None = None

    def _make(self, config: dict[str, Any]) -> Any:
        self.made.append(FakeProducer(config))
        return self.made[-1]

    @property
    def kafka(self) -> FakeProducer:
        return self.made[-1]

    def sample(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"wattoken_ingest_{name}", labels)

    def run(self, scenario: Callable[[Publisher], Awaitable[None]]) -> None:
        async def whole() -> None:
            self.publisher.start()
            try:
                await scenario(self.publisher)
            finally:
                self.left = await self.publisher.stop(0.2)

        asyncio.run(whole())


@pytest.fixture
def bench() -> Bench:
    return Bench()


def records(count: int, size_bytes: int = 10) -> list[Record]:
    return [{"key": b"", "value": b"x" * size_bytes} for _ in range(count)]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(2):
        while not condition():
            await asyncio.sleep(0.001)


def test_it_returns_at_the_last_acknowledgement_and_not_before(bench: Bench) -> None:
    async def scenario(publisher: Publisher) -> None:
        publishing = asyncio.create_task(publisher.publish(records(3)))
        await until(lambda: len(bench.kafka.waiting) == 3)
        bench.kafka.acknowledge(2)
        await asyncio.sleep(0.03)
        assert not publishing.done()
        bench.kafka.acknowledge(1)
        await publishing

    bench.run(scenario)
    assert bench.publisher.in_flight_events == bench.publisher.in_flight_bytes == 0


def test_nothing_to_send_is_sent_at_once(bench: Bench) -> None:
    bench.run(lambda publisher: publisher.publish([]))
    assert bench.kafka.waiting == []


@pytest.mark.parametrize("failing_first", [True, False])
def test_one_failed_record_fails_the_request(bench: Bench, failing_first: bool) -> None:
    async def scenario(publisher: Publisher) -> None:
        publishing = asyncio.create_task(publisher.publish(records(2)))
        await until(lambda: len(bench.kafka.waiting) == 2)
        for fails in (failing_first, not failing_first):
            if fails:
                bench.kafka.fail(1)
            else:
                bench.kafka.acknowledge(1)
        with pytest.raises(BusyError) as caught:
            await publishing
        assert int(caught.value.headers["Retry-After"]) > 0

    bench.run(scenario)
    assert bench.publisher.in_flight_events == 0


def test_no_report_at_all_is_a_failure_in_the_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.ingest.producer._REPORT_SLACK_SECONDS", 0.05)

    async def scenario(publisher: Publisher) -> None:
        with pytest.raises(BusyError):
            await publisher.publish(records(1))
        # The record may still come through, so its place stays taken.
        assert publisher.in_flight_events == 1
        bench.kafka.acknowledge()
        await until(lambda: publisher.in_flight_events == 0)

    bench.run(scenario)


def test_too_much_in_flight_is_refused_and_nothing_of_it_sent(bench: Bench) -> None:
    async def scenario(publisher: Publisher) -> None:
        first = asyncio.create_task(publisher.publish(records(8)))
        await until(lambda: len(bench.kafka.waiting) == 8)
        for excess in (records(3), records(1, size_bytes=990)):
            with pytest.raises(BusyError, match="too many"):
                await publisher.publish(excess)
        assert len(bench.kafka.waiting) == 8
        second = asyncio.create_task(publisher.publish(records(2)))
        await until(lambda: len(bench.kafka.waiting) == 10)
        bench.kafka.acknowledge()
        await asyncio.gather(first, second)

    bench.run(scenario)


def test_a_request_larger_than_the_bound_gets_through_alone(bench: Bench) -> None:
    async def scenario(publisher: Publisher) -> None:
        publishing = asyncio.create_task(publisher.publish(records(20)))
        await until(lambda: len(bench.kafka.waiting) == 20)
        bench.kafka.acknowledge()
        await publishing

    bench.run(scenario)


def test_records_that_the_client_does_not_take_fail_the_request(bench: Bench) -> None:
    async def scenario(publisher: Publisher) -> None:
        bench.kafka.not_taken = 2
        publishing = asyncio.create_task(publisher.publish(records(3)))
        await until(lambda: len(bench.kafka.waiting) == 1)
        await asyncio.sleep(0.02)
        assert not publishing.done()
        bench.kafka.acknowledge()
        with pytest.raises(BusyError):
            await publishing

    bench.run(scenario)
    assert bench.publisher.in_flight_events == 0


@pytest.mark.parametrize(
    "raised", [BufferError("full"), KafkaException(KafkaError(KafkaError._FATAL))]
)
def test_a_client_that_takes_nothing_fails_the_request(bench: Bench, raised: Exception) -> None:
    async def scenario(publisher: Publisher) -> None:
        bench.kafka.raised = raised
        with pytest.raises(BusyError):
            await publisher.publish(records(3))

    bench.run(scenario)
    assert bench.publisher.in_flight_events == 0


def test_a_producer_is_replaced_after_a_fatal_error(bench: Bench) -> None:
    async def scenario(publisher: Publisher) -> None:
        broken = bench.kafka
        waiting = asyncio.create_task(publisher.publish(records(1)))
        await until(lambda: len(broken.waiting) == 1)
        broken.fatal = KafkaError(KafkaError.INVALID_PRODUCER_EPOCH, "broken", fatal=True)
        with pytest.raises(BusyError):
            await waiting
        # Not given up on, but told by the broken producer itself.
        assert publisher.in_flight_events == 0
        assert len(bench.made) == 2
        assert broken.purged
        publishing = asyncio.create_task(publisher.publish(records(1)))
        await until(lambda: len(bench.kafka.waiting) == 1)
        bench.kafka.acknowledge()
        await publishing

    bench.run(scenario)


def test_a_producer_that_fails_again_at_once_is_not_replaced_at_once(bench: Bench) -> None:
    """As one does whose user may not write, until somebody gives it the right."""

    async def scenario(publisher: Publisher) -> None:
        fatal = KafkaError(KafkaError.CLUSTER_AUTHORIZATION_FAILED, "may not", fatal=True)
        for _ in range(5):
            bench.kafka.fatal = fatal
            await until(lambda: bench.kafka.fatal is None or len(bench.made) > 2)
        assert len(bench.made) == 2
        await until(lambda: len(bench.made) == 3)
        publishing = asyncio.create_task(publisher.publish(records(1)))
        await until(lambda: len(bench.kafka.waiting) == 1)
        bench.kafka.acknowledge()
        await publishing

    bench.run(scenario)


def test_an_error_that_is_not_fatal_replaces_nothing(bench: Bench) -> None:
    async def scenario(_publisher: Publisher) -> None:
        bench.kafka.fatal = KafkaError(KafkaError._ALL_BROKERS_DOWN)
        await until(lambda: bench.kafka.fatal is None)
        await asyncio.sleep(0.02)
        assert len(bench.made) == 1

    bench.run(scenario)


def test_stopping_says_what_is_left(bench: Bench) -> None:
    async def scenario(publisher: Publisher) -> None:
        publishing = asyncio.create_task(publisher.publish(records(2)))
        await until(lambda: len(bench.kafka.waiting) == 2)
        publishing.cancel()

    bench.run(scenario)
    assert bench.left == 2


def test_stopping_waits_for_what_is_in_flight(bench: Bench) -> None:
    async def scenario(publisher: Publisher) -> None:
        publishing = asyncio.create_task(publisher.publish(records(2)))
        await until(lambda: len(bench.kafka.waiting) == 2)
        asyncio.get_running_loop().call_later(0.05, bench.kafka.acknowledge)
        assert await publisher.stop(2.0) == 0
        await publishing

    bench.run(scenario)


def test_a_request_that_went_away_gives_its_room_back_once_reported(bench: Bench) -> None:
    async def scenario(publisher: Publisher) -> None:
        publishing = asyncio.create_task(publisher.publish(records(8)))
        await until(lambda: len(bench.kafka.waiting) == 8)
        publishing.cancel()
        await asyncio.sleep(0.01)
        assert publisher.in_flight_events == 8
        bench.kafka.acknowledge()
        await until(lambda: publisher.in_flight_events == 0)

    bench.run(scenario)


CLOSED = KafkaError.MSG_SIZE_TOO_LARGE


def places(kafka: FakeProducer) -> list[tuple[str, bytes]]:
    """Topic and value of what waits to be acknowledged."""
    return [(message.topic(), message.value()) for message, _ in kafka.waiting]


def numbered(count: int) -> list[Record]:
    return [{"key": b"k%d" % number, "value": b"v%d" % number} for number in range(count)]


def test_new_events_go_to_the_successor(bench: Bench) -> None:
    async def scenario(publisher: Publisher) -> None:
        before = asyncio.create_task(publisher.publish(numbered(1)))
        await until(lambda: len(bench.kafka.waiting) == 1)
        publisher.move_to("next")
        after = asyncio.create_task(publisher.publish(numbered(1)))
        await until(lambda: len(bench.kafka.waiting) == 2)
        assert places(bench.kafka) == [(SETTINGS.kafka_topic, b"v0"), ("next", b"v0")]
        bench.kafka.acknowledge()
        await asyncio.gather(before, after)

    bench.run(scenario)
    assert bench.sample("topic_info", topic="next") == 1


def test_what_a_closed_topic_refused_goes_to_its_successor(bench: Bench) -> None:
    """Only what was refused: the first is acknowledged and must not be reported as failed."""

    async def scenario(publisher: Publisher) -> None:
        publishing = asyncio.create_task(publisher.publish(numbered(3)))
        await until(lambda: len(bench.kafka.waiting) == 3)
        publisher.move_to("next")
        bench.kafka.acknowledge(1)
        bench.kafka.fail(2, CLOSED)
        await until(lambda: len(bench.kafka.waiting) == 2)
        assert places(bench.kafka) == [("next", b"v1"), ("next", b"v2")]
        assert not publishing.done()
        bench.kafka.acknowledge()
        await publishing

    bench.run(scenario)
    assert bench.publisher.in_flight_events == bench.publisher.in_flight_bytes == 0
    assert bench.metrics.registry.get_sample_value("wattoken_ingest_events_redirected_total") == 2
    assert (
        bench.metrics.registry.get_sample_value("wattoken_ingest_events_unacknowledged_total") == 0
    )


def test_what_was_refused_waits_for_word_of_the_successor(bench: Bench) -> None:
    async def scenario(publisher: Publisher) -> None:
        publishing = asyncio.create_task(publisher.publish(numbered(2)))
        await until(lambda: len(bench.kafka.waiting) == 2)
        bench.kafka.fail(2, CLOSED)
        await asyncio.sleep(0.02)
        assert not publishing.done()
        assert bench.kafka.waiting == []
        publisher.move_to("next")
        await until(lambda: len(bench.kafka.waiting) == 2)
        bench.kafka.acknowledge()
        await publishing

    bench.run(scenario)
    assert bench.publisher.in_flight_events == 0


def test_a_successor_that_is_closed_too_hands_on(bench: Bench) -> None:
    async def scenario(publisher: Publisher) -> None:
        publishing = asyncio.create_task(publisher.publish(numbered(1)))
        await until(lambda: len(bench.kafka.waiting) == 1)
        publisher.move_to("next")
        bench.kafka.fail(1, CLOSED)
        await until(lambda: places(bench.kafka) == [("next", b"v0")])
        bench.kafka.fail(1, CLOSED)
        await asyncio.sleep(0.02)
        publisher.move_to("last")
        await until(lambda: places(bench.kafka) == [("last", b"v0")])
        bench.kafka.acknowledge()
        await publishing

    bench.run(scenario)


@pytest.mark.parametrize("seconds", ["_HELD_SECONDS", "_REPORT_SLACK_SECONDS"])
def test_what_was_refused_is_never_answered_as_taken(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, seconds: str
) -> None:
    """Whichever ends first, the wait for a successor or the request's own."""
    monkeypatch.setattr(f"services.ingest.producer.{seconds}", 0.05)

    async def scenario(publisher: Publisher) -> None:
        publishing = asyncio.create_task(publisher.publish(numbered(2)))
        await until(lambda: len(bench.kafka.waiting) == 2)
        bench.kafka.acknowledge(1)
        bench.kafka.fail(1, CLOSED)
        with pytest.raises(BusyError):
            await publishing
        await until(lambda: publisher.in_flight_events == 0)

    bench.run(scenario)


def test_another_failure_beside_it_fails_the_request(bench: Bench) -> None:
    async def scenario(publisher: Publisher) -> None:
        publishing = asyncio.create_task(publisher.publish(numbered(2)))
        await until(lambda: len(bench.kafka.waiting) == 2)
        publisher.move_to("next")
        bench.kafka.fail(1, CLOSED)
        bench.kafka.fail(1)
        with pytest.raises(BusyError):
            await publishing
        assert bench.kafka.waiting == []

    bench.run(scenario)
    assert bench.publisher.in_flight_events == 0


def test_an_unreachable_broker_is_not_ready(bench: Bench) -> None:
    assert not bench.publisher.broker_reachable()


def test_the_configuration_is_one_that_loses_nothing() -> None:
    config = ingest_producer_config(SETTINGS)
    assert config["enable.idempotence"] is True
    assert config["acks"] == "all"
    assert config["allow.auto.create.topics"] is False
    assert config["delivery.timeout.ms"] == 100
    # The real client knows every name in it, and takes the values together.
    Producer(ingest_producer_config(IngestSettings()))
