"""Where a log begins, asked right after its topic was made."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from services.platform import migrate
from services.platform.errors import UnavailableError
from services.platform.kafka_log import Log
from services.platform.settings import KafkaSettings

LOG = Log("cluster", "topic-id", "usage", 2)


class Questions:
    """A broker whose partitions have no leader yet, so many times."""

    leaderless = 0
    closed = 0

    def __init__(self, settings: KafkaSettings) -> None:
        pass

    def starts(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        if Questions.leaderless:
            Questions.leaderless -= 1
            raise UnavailableError("Kafka does not answer: Broker: Not leader for partition")
        return dict.fromkeys(partitions, 0)

    def close(self) -> None:
        Questions.closed += 1


@pytest.fixture(autouse=True)
def broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "KafkaQuestions", Questions)
    monkeypatch.setattr(migrate, "HEARD_POLL_SECONDS", 0.0)
    monkeypatch.setattr(Questions, "closed", 0)


def test_partitions_that_have_no_leader_yet_are_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Questions, "leaderless", 3)
    assert migrate.log_starts(KafkaSettings(), LOG) == {0: 0, 1: 0}
    assert Questions.closed == 1


def test_a_broker_that_stays_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Questions, "leaderless", 10**9)
    monkeypatch.setattr(migrate, "HEARD_SECONDS", 0.05)
    with pytest.raises(UnavailableError, match="Not leader"):
        migrate.log_starts(KafkaSettings(), LOG)
    assert Questions.closed == 1
