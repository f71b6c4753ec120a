"""One connection to ClickHouse for one log; recreated after an error. Not thread-safe."""

from __future__ import annotations

from clickhouse_connect.driver.client import Client

from services.aggregator.decoding.labels import Labels
from services.platform.clickhouse import connect
from services.platform.kafka_log import Log
from services.platform.settings import ClickHouseSettings


class SinkConnection:
    """What is read and written over: the server, the log, and the numbers of its labels."""

    def __init__(self, settings: ClickHouseSettings, log: Log, labels: Labels) -> None:
        self._settings = settings
        self._log = log
        self._labels = labels
        self._client: Client | None = None

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _connected(self) -> Client:
        if self._client is None:
            self._client = connect(self._settings)
        return self._client
