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


class Asked:
    """`KafkaQuestions` that says what it was asked."""

    def __getattr__(self, question: str) -> Any:
        return lambda *asked: (question, *asked)


def test_each_question_is_put_about_the_topic() -> None:
    offsets: Any = LogOffsets(Asked(), LOG, "group")  # type: ignore[arg-type]
    assert offsets.starts([0, 2]) == ("starts", "usage", [0, 2])
    assert offsets.ends([0, 2]) == ("ends", "usage", [0, 2])
    assert offsets.at({0: 5}) == ("at", "usage", {0: 5})
    assert offsets.now() == ("describe", "usage")
    # What an open transaction holds back cannot be read, so nobody is behind for it.
    assert offsets.readable_ends([1]) == ("stable_ends", "usage", [1])
