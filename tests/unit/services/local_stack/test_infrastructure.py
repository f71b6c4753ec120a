"""Where Apache Kafka cannot be had, tansu serves if the caller left it open; and it is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.local_stack import infrastructure
from services.local_stack.cache import Report
from services.local_stack.errors import ComponentMissing
from services.local_stack.infrastructure import Infrastructure
from services.local_stack.tansu import CAVEAT


@pytest.fixture(autouse=True)
def no_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot_be_had(report: Report) -> Path:
        raise ComponentMissing("no way to Maven Central")

    monkeypatch.setattr(infrastructure, "kafka_jars", cannot_be_had)


def test_tansu_takes_its_place_and_it_is_said_why(tmp_path: Path) -> None:
    said: list[str] = []
    stack = Infrastructure(tmp_path, broker="auto", report=said.append)
    assert stack._broker_plan().name == "tansu"
    assert stack.broker_name.startswith("tansu")
    assert said == ["no way to Maven Central\nUsing tansu instead.", CAVEAT]


def test_who_asks_for_kafka_gets_kafka_or_an_error(tmp_path: Path) -> None:
    with pytest.raises(ComponentMissing, match="no way to Maven Central"):
        Infrastructure(tmp_path, broker="kafka")._broker_plan()
