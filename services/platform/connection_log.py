"""Says in the log why there is no getting through to Kafka, once and not at each attempt."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError

from services.platform.kafka_reasons import REFUSED_CODES, Reasons
from services.platform.log import get_logger

log = get_logger(__name__)


def client_logger() -> logging.Logger:
    """Where librdkafka's own log goes, without the failures that `ConnectionLog` tells of.

    It writes a line for each of its attempts, several a second while a broker is away.
    """
    logger = logging.getLogger("librdkafka")
    if _tells_more not in logger.filters:
        logger.addFilter(_tells_more)
    return logger


def _tells_more(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(("FAIL [", "ERROR ["))


class ConnectionLog:
    """Logs why there is no getting through, once and not at each of a client's attempts."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._reasons = Reasons(config)
        self._told = ""

    def note(self, error: KafkaError) -> None:
        """Take an error as librdkafka's ``error_cb`` gives it."""
        self._reasons.note(error)
        self._tell(self._reasons.said(error.str()), error.name())

    @property
    def told(self) -> str:
        """What stands in the way, as it was logged last; empty where nothing does."""
        return self._told

    def unanswered(self, error: KafkaError) -> None:
        """Take that a question got no answer, which is news where nothing was heard before."""
        if not self._told:
            self._tell(self._reasons.said(self._reasons.silence), error.name())

    def answered(self, topic: str, error: KafkaError | None) -> bool:
        """Take what a broker said of a topic; return whether that is nothing bad."""
        if error is None:
            self._told = ""
            return True
        refused = error.code() in REFUSED_CODES
        reason = self._reasons.refused(error) if refused else error.str()
        if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            reason = "is not there: run `wattoken migrate`, or see to WATTOKEN_KAFKA_TOPIC"
        self._tell(f"topic {topic}: {reason}", error.name())
        return False

    def _tell(self, reason: str, code: str) -> None:
        if reason != self._told:
            self._told = reason
            log.warning("kafka client", reason=reason, code=code)
