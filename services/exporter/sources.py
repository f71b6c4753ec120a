"""The edges the exporter reads from: ClickHouse over a connection it keeps, and Kafka's offsets.

Each object here is called by one thread at a time (see `Sampler`).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from clickhouse_connect.driver.client import Client

from services.exporter.rows import EndedLog, LogEnds
from services.exporter.settings import ExporterSettings
from services.platform.clickhouse import connect
from services.platform.errors import UnavailableError, WattokenError
from services.platform.kafka_questions import KafkaQuestions
from services.platform.log import get_logger
from services.platform.schema_state import read_state
from services.platform.succession import Succession, chain_of
from services.platform.succession_table import read_successions

T = TypeVar("T")
_log = get_logger(__name__)


#: For queries that nobody waits for: one core, and after those that somebody waits for.
GENTLE: Final = {"max_threads": 1, "priority": 10}


class SchemaNews:
    """Logs, once in a process, that a database is of another version. Thread-safe."""

    def __init__(self) -> None:
        self._told: set[str] = set()
        self._lock = threading.Lock()

    def look(self, client: Client, database: str) -> None:
        """Look at a database that was not looked at yet. What cannot be read is no news here."""
        with self._lock:
            if database in self._told:
                return
            self._told.add(database)
        try:
            state = read_state(client)
        except WattokenError as error:
            # It is not migrated at all, perhaps: then there is news once it is.
            self._told.discard(database)
            _log.warning("tables cannot be read", database=database, reason=str(error))
            return
        remark = None if state is None else state.behind or state.ahead
        if remark is not None:
            _log.warning("another schema", database=database, remark=remark)


_SCHEMA_NEWS: Final = SchemaNews()


class Connection:
    """A connection to ClickHouse, made at first need and again after a failure.

    With ``gentle`` its queries leave the database to others, where the user may ask for that.
    """

    def __init__(
        self, settings: ExporterSettings, timeout_seconds: float, *, gentle: bool = False
    ) -> None:
        # The driver counts whole seconds and waits so long per answer; the scrape's own limit
        # is kept by the sampler, this one gives the thread back.
        self._settings = settings.model_copy(
            update={"clickhouse_timeout_seconds": math.ceil(timeout_seconds)}
        )
        self._gentle = gentle
        self._client: Client | None = None

    def run(self, read: Callable[[Client], T]) -> T:
        """Read once. Raises `UnavailableError` and `ConfigurationError`."""
        if self._client is None:
            self._client = self._connect()
        try:
            return read(self._client)
        except UnavailableError:
            broken, self._client = self._client, None
            broken.close()
            raise

    def _connect(self) -> Client:
        client = connect(self._settings)
        _SCHEMA_NEWS.look(client, self._settings.clickhouse_database)
        for name, value in GENTLE.items() if self._gentle else ():
            known = client.server_settings.get(name)
            # A user that only reads (`readonly` 1) may not set anything; then it goes without.
            if known is not None and not known.readonly:
                client.set_client_setting(name, value)
        return client


class ClickHouseReader(Generic[T]):
    """One query, over a connection of its own or over one that several readers share in turn."""

    def __init__(
        self,
        settings: ExporterSettings,
        read: Callable[[Client], T],
        connection: Connection | None = None,
    ) -> None:
        self._read = read
        self._connection = connection or Connection(settings, settings.exporter_timeout_seconds)

    def __call__(self) -> T:
        """Read once. Raises `UnavailableError` and `ConfigurationError`."""
        return self._connection.run(self._read)


class KnownSuccessions:
    """Which log followed which, as ClickHouse said last. Thread-safe.

    They are read beside the checkpoints: what the broker is asked must not wait for a database that
    hangs.
    """

    def __init__(self) -> None:
        self._known: list[Succession] = []
        self._heard = threading.Event()

    def read_with(self, read: Callable[[Client], T]) -> Callable[[Client], T]:
        """A reading that takes note of the successions as well."""

        def both(client: Client) -> T:
            found = read(client)
            self.note(read_successions(client))
            return found

        return both

    def note(self, found: list[Succession]) -> None:
        """Take note of them."""
        self._known = found
        self._heard.set()

    def get(self, timeout_seconds: float) -> list[Succession]:
        """Give them; the first are waited for. Raises `UnavailableError`."""
        if not self._heard.wait(timeout_seconds):
            raise UnavailableError("ClickHouse has not said yet which log is the newest")
        return self._known


class LogEndsReader:
    """Asks which log the topic is, or the newest that followed it, and where its partitions end."""

    def __init__(self, settings: ExporterSettings, successions: KnownSuccessions) -> None:
        self._topic = settings.kafka_topic
        self._questions = KafkaQuestions(settings)
        self._successions = successions
        self._wait_seconds = settings.exporter_timeout_seconds
        self._cluster_id: str | None = None

    def __call__(self) -> LogEnds:
        """Read once. Raises `UnavailableError` and `ConfigurationError`."""
        if self._cluster_id is None:
            self._cluster_id = self._questions.cluster_id()
        stored = self._successions.get(self._wait_seconds)
        chain = chain_of([one for one in stored if one.cluster_id == self._cluster_id], self._topic)
        log = self._questions.describe(chain[-1].topic if chain else self._topic)
        partitions = range(log.partitions)
        return LogEnds(
            log_name=log.name,
            start_offsets=self._questions.starts(log.topic, partitions),
            end_offsets=self._questions.ends(log.topic, partitions),
            predecessors=tuple(
                EndedLog(one.predecessor_log, tuple((at.start, at.end) for at in one.ends or ()))
                for one in chain
            ),
        )
