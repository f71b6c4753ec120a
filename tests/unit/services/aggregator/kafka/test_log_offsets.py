from __future__ import annotations

from typing import Any

from services.aggregator.kafka.log_offsets import LogOffsets
from services.platform.kafka_log import Log
from services.platform.kafka_questions import Commit

LOG = Log("cluster", "topic-id", "usage", 3)


class Questions:
    """`KafkaQuestions` that knows commits only."""

    def commits(self, group: str, topic: str, partitions: Any) -> dict[int, Commit]:
        assert (group, topic, list(partitions)) == ("group", "usage", [0, 1, 2])
        return {0: Commit(5, LOG.name), 1: Commit(9, "cluster/another"), 2: Commit(7, "")}


def test_a_commit_of_another_log_under_the_same_name_says_nothing() -> None:
    offsets = LogOffsets(Questions(), LOG, "group")  # type: ignore[arg-type]
    assert offsets.committed(range(3)) == {0: 5, 2: 7}
