"""What a client hears of its connections is logged once."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from confluent_kafka import KafkaError

from services.platform import connection_log
from services.platform.connection_log import ConnectionLog

CONFIG = {"bootstrap.servers": "kafka:9093", "security.protocol": "SASL_SSL"}


def test_the_same_is_logged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    logger = SimpleNamespace(warning=lambda event, *, reason, code: said.append(reason))
    monkeypatch.setattr(connection_log, "log", logger)
    log = ConnectionLog(CONFIG)
    refused = "sasl_ssl://kafka:9093/bootstrap: Connect failed: Connection refused"
    for _ in range(3):
        log.note(KafkaError(KafkaError._TRANSPORT, refused))
    assert len(said) == 1
    assert "nothing listens" in said[0]
    assert log.answered("usage.events.v1", None)
    log.note(KafkaError(KafkaError._TRANSPORT, refused))
    assert len(said) == 2, "it was well meanwhile"
    assert not log.answered("t", KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
    assert "wattoken grants" in said[2]
