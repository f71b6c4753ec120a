"""Puts readings straight onto the topic, as a gateway with Kafka access does."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event

from services.platform.settings import KafkaSettings
from services.platform.topic_writer import TopicWriter
from services.simulator.delivery import now_ms
from services.simulator.fleet import Emission
from services.simulator.ledger import Answer, Outcome
from services.simulator.reading import log_key, log_record


class TopicSender:
    """Sends emissions through a `TopicWriter`, and says when each was sent and answered."""

    def __init__(self, settings: KafkaSettings, stop: Event | None = None) -> None:
        self._writer = TopicWriter(settings, stop)

    def send(self, emissions: Sequence[Emission]) -> list[Answer]:
        """Send each once and wait for all answers; raises as `TopicWriter.put` does."""
        sent_ms = now_ms()
        readings = (emission.reading for emission in emissions)
        self._writer.put((log_key(reading), log_record(reading)) for reading in readings)
        # Rounded up, as times before were rounded down: append times lie between.
        answered_ms = now_ms() + 1
        return [
            Answer(emission.number, Outcome.ACKNOWLEDGED, sent_ms, answered_ms)
            for emission in emissions
        ]
