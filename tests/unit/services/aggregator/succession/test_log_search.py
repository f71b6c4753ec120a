"""A worker that starts while Kafka or ClickHouse is away waits, and says what for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from services.aggregator.succession import log_search
from services.platform.errors import (
    ConfigurationError,
    DatabaseUnavailableError,
    UnavailableError,
)

SETTINGS: Any = SimpleNamespace(kafka_successions_topic="successions")
FOUND = SimpleNamespace(log=SimpleNamespace(topic="usage"), group="group")


class Broker:
    """Fails as it is told to, and then answers."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = [*failures]
        self.asked: list[tuple[Any, str]] = []

    def require_read(self, topics: Any, group: str) -> None:
        self.asked.append((topics, group))
        if self.failures:
            raise self.failures.pop(0)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_search, "RETRY_SECONDS", 0)


def test_it_waits_for_both_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    away = [UnavailableError("Kafka does not answer"), DatabaseUnavailableError("ClickHouse")]

    def find(_settings: Any, _questions: Any) -> Any:
        if away:
            raise away.pop(0)
        return FOUND

    monkeypatch.setattr(log_search, "find_lineage", find)
    broker: Any = Broker(UnavailableError("Kafka again"))
    told: list[str] = []
    found: Any = log_search.wait_for_log(SETTINGS, broker, told.append)
    assert found is FOUND
    assert told == ["Kafka does not answer", "ClickHouse", "Kafka again"]
    assert broker.asked == [(("usage", "successions"), "group")] * 2


def test_what_no_wait_mends_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_search, "find_lineage", lambda *_: FOUND)
    broker: Any = Broker(ConfigurationError("lacks the right"))
    with pytest.raises(ConfigurationError, match="lacks the right"):
        log_search.wait_for_log(SETTINGS, broker, pytest.fail)
