"""What is made of what a broker says we may do; a real one is in test_secured.py."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AclOperation

from services.platform.errors import ConfigurationError
from services.platform.kafka_questions import KafkaQuestions
from services.platform.kafka_respondent import operations
from services.platform.settings import KafkaSettings


def described(allowed: Sequence[AclOperation] | None) -> Future[Any]:
    pending: Future[Any] = Future()
    pending.set_result(SimpleNamespace(authorized_operations=allowed))
    return pending


def failed(code: int) -> Future[Any]:
    pending: Future[Any] = Future()
    pending.set_exception(KafkaException(KafkaError(code)))
    return pending


def test_operations_are_named() -> None:
    assert operations(described([AclOperation.READ, AclOperation.DESCRIBE])) == ["READ", "DESCRIBE"]


@pytest.mark.parametrize("allowed", [None, []])
def test_a_broker_that_does_not_tell_is_no_refusal(allowed: Sequence[AclOperation] | None) -> None:
    assert operations(described(allowed)) is None


def test_only_a_refusal_is_one() -> None:
    assert operations(failed(KafkaError.TOPIC_AUTHORIZATION_FAILED)) == []
    assert operations(failed(KafkaError.UNKNOWN_TOPIC_OR_PART)) is None
    assert operations(failed(KafkaError.COORDINATOR_NOT_AVAILABLE)) is None


@pytest.mark.parametrize(
    ("topic", "group", "missing"),
    [
        (["READ"], ["ALL"], None),
        (None, None, None),
        ([], ["READ"], "topic usage.events.v1"),
        (["DESCRIBE"], ["DESCRIBE"], "topic usage.events.v1, group workers"),
    ],
)
def test_what_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch,
    topic: list[str] | None,
    group: list[str] | None,
    missing: str | None,
) -> None:
    questions = KafkaQuestions(KafkaSettings())
    found = {"topics": {"usage.events.v1": topic}, "groups": {"workers": group}}
    monkeypatch.setattr(questions, "_ask", lambda question: found)
    if missing is None:
        questions.require_read(["usage.events.v1"], "workers")
        return
    with pytest.raises(ConfigurationError, match=f"the right to read {missing}: `wattoken grants`"):
        questions.require_read(["usage.events.v1"], "workers")
