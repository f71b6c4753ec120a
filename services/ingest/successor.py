"""Follows the topic of successions and tells to which topic events go from now on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from confluent_kafka import KafkaException

from services.platform.errors import ConfigurationError
from services.platform.log import get_logger
from services.platform.settings import KafkaSettings
from services.platform.succession import Succession, first_of_each, newest_topic
from services.platform.succession_topic import SuccessionReader

log = get_logger(__name__)

#: Longest wait in the client, which lets go of the interpreter meanwhile; so the end of the service
#: waits no longer for this thread either.
POLL_SECONDS: Final = 0.5
#: Before a client that failed is recreated.
PAUSE_SECONDS: Final = 2.0


class SuccessionFollower:
    """A thread that reads the topic, from its beginning and then without end.

    ``tell`` is called from it, with the topic that events go to, as often as that changes.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        tell: Callable[[str], object],
        make_reader: Callable[[KafkaSettings], SuccessionReader] = SuccessionReader,
    ) -> None:
        self._settings = settings
        self._tell = tell
        self._make_reader = make_reader
        self._topic = settings.kafka_topic
        self._known: list[Succession] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="successions", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, within a poll."""
        self._stopping.set()
        self._thread.join(2 * POLL_SECONDS)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._make_reader(self._settings) as reader:
                    while not self._stopping.is_set():
                        succession = reader.poll(POLL_SECONDS)
                        if succession is not None:
                            self._hear(succession)
            except KafkaException as error:
                log.warning("cannot follow successions", reason=str(error))
                self._stopping.wait(PAUSE_SECONDS)

    def _hear(self, succession: Succession) -> None:
        self._known = first_of_each([*self._known, succession])
        try:
            topic = newest_topic(self._known, self._settings.kafka_topic)
        except ConfigurationError as error:
            log.error("cannot follow successions", reason=str(error))
            return
        if topic != self._topic:
            self._topic = topic
            self._tell(topic)
