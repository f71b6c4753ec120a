"""ClickHouse as the aggregator uses it, both ways over one connection.

Synchronous; the caller runs it in a thread.
"""

from __future__ import annotations

from services.aggregator.storage.copy_rows import ClickHouseCopies
from services.aggregator.storage.reader import ClickHouseReader
from services.aggregator.storage.writer import ClickHouseWriter


class ClickHouseSink(ClickHouseReader, ClickHouseWriter, ClickHouseCopies):
    """Reads and writes. Not thread-safe."""
