"""What faults may do: the stack, the senders, and the notes of a run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from confluent_kafka import KafkaException

from services.platform.kafka import admin_client
from services.platform.settings import KafkaSettings
from tests.chaos.actors import Actor
from tests.chaos.database import Database
from tests.chaos.log_reader import log_name
from tests.chaos.oracle import Place
from tests.chaos.progress import Progress
from tests.chaos.proxy import Network
from tests.chaos.stack import DATABASE, GROUP, PARTITIONS, TOPIC, Stack
from tests.chaos.topic_sender import TransactionSender


class World:
    """All that a fault may touch. Faults run each in a thread of its own."""

    def __init__(self, stack: Stack, told: Callable[[str, str], None]) -> None:
        self.stack = stack
        self.database = Database(stack.ports["http"], DATABASE)
        self.progress = Progress(self.database, lambda: self._places)
        self.topics = [TOPIC]
        self.partitions = PARTITIONS
        self._places: list[Place] = []
        #: Numbers of the backups there are, the newest last.
        self.backups: list[int] = []
        self.ending = threading.Event()
        self.transactions: TransactionSender
        self._told = told

    @property
    def network(self) -> Network:
        """The links."""
        return self.stack.network

    @property
    def topic(self) -> str:
        """The topic that is written to now."""
        return self.topics[-1]

    def actor(self, name: str) -> Actor:
        """A process by its name."""
        return self.stack.actors[name]

    def wait(self, seconds: float) -> None:
        """Let a fault last so long; shorter when the run is broken off."""
        self.ending.wait(seconds)

    def note(self, text: str) -> None:
        """Tell what may explain something later."""
        self._told("note", text)

    def complain(self, text: str) -> None:
        """Tell what must not be: the run fails over it."""
        self._told("complaint", text)

    @contextmanager
    def in_restore(self) -> Iterator[None]:
        """Checkpoints may go back meanwhile."""
        self.progress.restoring(1)
        try:
            yield
        finally:
            self.progress.restoring(-1)

    def follow(self, topic: str, partitions: int) -> None:
        """The log is followed by another: senders go there, and progress is looked for there."""
        self.partitions = partitions
        self.topics.append(topic)
        self.stack.topic = topic
        self.look_at_partitions()

    def look_at_partitions(self) -> None:
        """Look up which partitions must be metered now."""
        name, partitions = log_name(self.stack.bootstrap_servers, self.topic)
        self._places = [(name, number) for number in range(partitions)]

    def group_members(self) -> int:
        """How many members Kafka thinks the workers' group has; 1 where it does not say."""
        settings = KafkaSettings(kafka_bootstrap_servers=self.stack.bootstrap_servers)
        admin = admin_client(settings)
        # Each log that follows another has a group of its own.
        group = GROUP if self.topic == TOPIC else f"{GROUP}.{self.topic}"
        asked = admin.describe_consumer_groups([group], request_timeout=5)
        try:
            return len(asked[group].result().members)
        except KafkaException:
            return 1
