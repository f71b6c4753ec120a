"""What the doctor looks with: the settings, and connections that are made at first need."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from clickhouse_connect.driver.client import Client

from services.operate.doctor.settings import DoctorSettings
from services.platform.clickhouse import all_rows, connect
from services.platform.kafka import ExplainingAdmin, admin_client
from services.platform.kafka_log import Log
from services.platform.kafka_questions import KafkaQuestions
from services.platform.schema_state import require_clickhouse
from services.platform.succession_topic import topic_of_events


class World:
    """A deployment, as its settings say where it is. Not thread-safe; to be closed.

    What is asked raises `UnavailableError` and `ConfigurationError`.
    """

    def __init__(self, settings: DoctorSettings) -> None:
        self.settings = settings
        self.questions = KafkaQuestions(settings)
        self._client: Client | None = None

    def close(self) -> None:
        """End all connections."""
        self.questions.close()
        if self._client is not None:
            self._client.close()

    @cached_property
    def admin(self) -> ExplainingAdmin:
        """Kafka, for questions about topics."""
        return admin_client(self.settings)

    @property
    def clickhouse(self) -> Client:
        """The server, whether the database is there or not."""
        if self._client is None:
            require_clickhouse(self.settings)
            self._client = connect(self.settings, database="default")
        return self._client

    def rows(self, text: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """Ask ClickHouse; ``{database:String}`` is the database's name."""
        known = {"database": self.settings.clickhouse_database, **parameters}
        return [*all_rows(self.clickhouse, text, known)]

    @cached_property
    def topic(self) -> str:
        """The topic that events go to now."""
        return topic_of_events(self.settings)

    @cached_property
    def log(self) -> Log:
        """The log that this topic is."""
        return self.questions.describe(self.topic)
