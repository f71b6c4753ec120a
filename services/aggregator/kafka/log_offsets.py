"""What Kafka knows of a log's offsets: its start, its end, times, and what the group committed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.platform.kafka_log import Log
from services.platform.kafka_questions import KafkaQuestions


class LogOffsets:
    """Questions about one log's offsets. Synchronous.

    Every question raises `UnavailableError` when the broker does not answer in time.
    """

    def __init__(self, questions: KafkaQuestions, log: Log, group: str) -> None:
        self._questions = questions
        self._log = log
        self._group = group

    def starts(self, partitions: Sequence[int]) -> dict[int, int]:
        """The first offset that the log still holds."""
        return self._questions.starts(self._log.topic, partitions)

    def ends(self, partitions: Sequence[int]) -> dict[int, int]:
        """The offset that the next record will get."""
        return self._questions.ends(self._log.topic, partitions)

    def readable_ends(self, partitions: Sequence[int]) -> dict[int, int]:
        """Up to where a worker can read now: an open transaction ends it before the log's end."""
        return self._questions.stable_ends(self._log.topic, partitions)

    def at(self, times_ms: Mapping[int, int]) -> dict[int, int]:
        """The first offset appended at or after a time; -1 where there is none."""
        return self._questions.at(self._log.topic, times_ms)

    def committed(self, partitions: Sequence[int]) -> dict[int, int]:
        """The offsets that the group committed of this log; missing where it never did.

        Kafka keeps commits by the topic's name, and a late worker may commit to a topic that was
        deleted and recreated meanwhile. So each commit bears its log's name; one of another log
        says nothing about this one.
        """
        found = self._questions.commits(self._group, self._log.topic, partitions)
        return {
            partition: commit.offset
            for partition, commit in found.items()
            # Workers before 0.2.0 wrote none.
            if commit.metadata in ("", self._log.name)
        }

    def now(self) -> Log:
        """What the topic is now: recreated it is another log, and it may have grown."""
        return self._questions.describe(self._log.topic)
