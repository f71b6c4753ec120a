"""Which commits are set back to an older database, which are left, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, Final

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition

from services.aggregator import restore
from services.aggregator.decoding.labels import Labels
from services.aggregator.restore import accept, accept_restore
from services.aggregator.settings import AggregatorSettings
from services.aggregator.succession.lineage import Lineage
from services.platform.errors import ConfigurationError, DatabaseUnavailableError
from services.platform.kafka_log import Log

SETTINGS: Final = AggregatorSettings()
FIRST: Final = Lineage(Log("cluster", "id-1", "usage.v1", 3), "group", (), None)
SECOND: Final = Lineage(Log("cluster", "id-2", "usage.v2", 2), "group-2", (), None)


class World:
    """Kafka's commits and the database's checkpoints, by topic; notes what is set and said."""

    def __init__(self) -> None:
        self.starts: dict[str, dict[int, int]] = {}
        self.checkpoints: dict[str, dict[int, int]] = {}
        self.commits: dict[str, dict[int, int]] = {}
        self.away = False
        self.refusal: Exception | None = None
        #: What Kafka says of a partition, where it refuses one alone.
        self.refused: dict[int, KafkaError] = {}
        self.set_back: list[tuple[str, list[tuple[str, int, int, str]]]] = []
        self.said: list[str] = []
        self.opened = 0

    def accept(self, lineage: Lineage, committed: dict[int, int]) -> bool:
        return accept(SETTINGS, lineage, committed, self.said.append)

    def alter_consumer_group_offsets(
        self, groups: Sequence[ConsumerGroupTopicPartitions], *, request_timeout: float
    ) -> dict[str, Future[Any]]:
        assert request_timeout > 0
        ((group, places),) = [(one.group_id, one.topic_partitions) for one in groups]
        answer: Future[Any] = Future()
        if self.refusal is not None:
            answer.set_exception(self.refusal)
            return {group: answer}
        changes = [(one.topic, one.partition, one.offset, one.metadata) for one in places]
        self.set_back.append((group, sorted(changes)))
        done = [SimpleNamespace(error=self.refused.get(one.partition)) for one in places]
        answer.set_result(SimpleNamespace(topic_partitions=done))
        return {group: answer}


class ClickHouse:
    """`ClickHouseSink` of one log."""

    def __init__(self, world: World, log: Log) -> None:
        self._world, self._topic = world, log.topic
        world.opened += 1

    def read_starts(self, partitions: Sequence[int]) -> dict[int, int]:
        starts = self._world.starts.get(self._topic, {})
        return {partition: starts[partition] for partition in partitions if partition in starts}

    def read_offsets(self) -> dict[int, int]:
        if self._world.away:
            raise DatabaseUnavailableError("connection refused")
        return dict(self._world.checkpoints.get(self._topic, {}))

    def close(self) -> None:
        self._world.opened -= 1


class Questions:
    """`KafkaQuestions` about commits, which bear their log's name."""

    def __init__(self, world: World) -> None:
        self._world = world
        world.opened += 1

    def commits(self, group: str, topic: str, partitions: Sequence[int]) -> dict[int, Any]:
        (lineage,) = [one for one in (FIRST, SECOND) if one.log.topic == topic]
        assert group == lineage.group
        found = self._world.commits.get(topic, {})
        return {
            partition: TopicPartition(topic, partition, found[partition], lineage.log.name)
            for partition in partitions
            if partition in found
        }

    def close(self) -> None:
        self._world.opened -= 1


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()

    def sink(settings: AggregatorSettings, log: Log, labels: Labels) -> ClickHouse:
        return ClickHouse(world, log)

    def lineages(settings: AggregatorSettings, questions: Questions) -> list[Lineage]:
        return [FIRST, SECOND]

    monkeypatch.setattr(restore, "ClickHouseSink", sink)
    monkeypatch.setattr(restore, "admin_client", lambda settings: world)
    monkeypatch.setattr(restore, "KafkaQuestions", lambda settings: Questions(world))
    monkeypatch.setattr(restore, "find_lineages", lineages)
    return world


def test_commits_ahead_of_the_database_are_set_back_to_it_and_no_others(world: World) -> None:
    world.checkpoints["usage.v1"] = {0: 10, 1: 20, 2: 30}
    assert world.accept(FIRST, {0: 15, 1: 20, 2: 25})
    # Each bears its log's name, or a worker would not take it for one of this log.
    assert world.set_back == [("group", [("usage.v1", 0, 10, "cluster/id-1")])]
    assert world.said == ["usage.v1, partition 0: metered again from 10 (was 15)"]


def test_what_was_committed_by_nobody_is_not_committed_now(world: World) -> None:
    world.checkpoints["usage.v1"] = {0: 10, 1: 20}
    assert world.accept(FIRST, {1: 21})
    assert world.set_back == [("group", [("usage.v1", 1, 20, "cluster/id-1")])]


def test_a_database_without_a_checkpoint_begins_where_the_partition_began(world: World) -> None:
    world.starts["usage.v1"] = {0: 4, 1: 5, 2: 6}
    world.checkpoints["usage.v1"] = {1: 20}
    assert world.accept(FIRST, {0: 15, 1: 25, 2: 6})
    ((_, changes),) = world.set_back
    assert [(partition, offset) for _, partition, offset, _ in changes] == [(0, 4), (1, 20)]


def test_of_a_partition_that_the_database_knows_nothing_of_nothing_is_guessed(
    world: World,
) -> None:
    """Not that it begins at 0: what `migrate` has not seen, no worker meters."""
    assert not world.accept(FIRST, {0: 15})
    assert (world.set_back, world.said) == ([], [])


def test_what_was_done_is_said_by_partition_in_their_order(world: World) -> None:
    world.checkpoints["usage.v1"] = {2: 1, 0: 2, 1: 3}
    world.accept(FIRST, {2: 9, 0: 8, 1: 7})
    assert world.said == [
        "usage.v1, partition 0: metered again from 2 (was 8)",
        "usage.v1, partition 1: metered again from 3 (was 7)",
        "usage.v1, partition 2: metered again from 1 (was 9)",
    ]


@pytest.mark.parametrize("whole_group", [True, False])
def test_while_workers_run_nothing_is_said_to_be_done(whole_group: bool, world: World) -> None:
    world.checkpoints["usage.v1"] = {0: 10, 1: 20}
    running = KafkaError(KafkaError.UNKNOWN_MEMBER_ID, "members are there")
    if whole_group:
        world.refusal = KafkaException(running)
    else:
        world.refused[1] = running
    with pytest.raises(ConfigurationError, match="of group back: stop its workers .*members are"):
        world.accept(FIRST, {0: 15, 1: 25})
    assert world.said == []


def test_the_database_is_let_go_of_also_where_it_does_not_answer(world: World) -> None:
    world.away = True
    with pytest.raises(DatabaseUnavailableError):
        world.accept(FIRST, {0: 15})
    assert (world.opened, world.set_back) == (0, [])


def test_every_log_of_the_chain_is_set_back_in_its_own_group(world: World) -> None:
    world.checkpoints = {"usage.v1": {0: 10}, "usage.v2": {1: 3, 2: 4}}
    # The second log has two partitions: whoever committed for a third, it is none of this log.
    world.commits = {"usage.v1": {0: 11}, "usage.v2": {1: 5, 2: 9}}
    accept_restore(SETTINGS, world.said.append)
    assert world.set_back == [
        ("group", [("usage.v1", 0, 10, "cluster/id-1")]),
        ("group-2", [("usage.v2", 1, 3, "cluster/id-2")]),
    ]
    assert len(world.said) == 2
    assert world.opened == 0


def test_a_later_log_is_set_back_though_the_first_has_nothing_to_accept(world: World) -> None:
    world.checkpoints = {"usage.v1": {0: 10}, "usage.v2": {1: 3}}
    world.commits = {"usage.v1": {0: 10}, "usage.v2": {1: 5}}
    accept_restore(SETTINGS, world.said.append)
    assert world.said == ["usage.v2, partition 1: metered again from 3 (was 5)"]


def test_where_nothing_is_behind_that_is_what_is_said(world: World) -> None:
    world.checkpoints = {"usage.v1": {0: 10}}
    world.commits = {"usage.v1": {0: 10}}
    accept_restore(SETTINGS, world.said.append)
    assert world.said == ["the database is not behind the group's commits: nothing to accept"]
    assert (world.set_back, world.opened) == ([], 0)
