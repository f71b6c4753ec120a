"""PURE. How long a person who runs a command is let wait for a first answer."""

from __future__ import annotations

from typing import Final

#: Longest that a command waits for the first answer of Kafka, ClickHouse or ingest. Services wait
#: as long as their own settings say, and go on.
HELLO_SECONDS: Final = 5.0
