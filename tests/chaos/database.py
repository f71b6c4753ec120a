"""ClickHouse as the harness asks it: plain HTTP, straight to the server, no client of ours."""

from __future__ import annotations

import http.client
import json
import urllib.parse
from typing import Any, Final

from services.local_stack.ports import LOOPBACK
from tests.chaos.contributions import COLUMNS_OF, VIEWS
from tests.chaos.oracle import Found, Place, Rows

TIMEOUT_SECONDS: Final = 20.0


class DatabaseAwayError(Exception):
    """ClickHouse did not answer, refused, or answered in part."""


class Database:
    """One database, asked over a connection for each question."""

    def __init__(self, port: int, database: str) -> None:
        self._port = port
        self._database = database

    def command(self, text: str, *, database: str | None = None) -> str:
        """Run a statement and return what was said; raises `DatabaseAwayError`."""
        query = {"database": self._database if database is None else database}
        path = f"/?{urllib.parse.urlencode(query)}"
        connection = http.client.HTTPConnection(LOOPBACK, self._port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request("POST", path, body=text.encode())
            answer = connection.getresponse()
            body = answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise DatabaseAwayError(f"{type(error).__name__}: {error}") from None
        finally:
            connection.close()
        if answer.status != 200 or "DB::Exception" in body:
            raise DatabaseAwayError(body.strip()[:500])
        return body

    def rows(self, columns: str, source: str) -> list[list[Any]]:
        """Ask for rows; raises `DatabaseAwayError` where they did not come whole."""
        text = (
            f"SELECT {columns} FROM {source} FORMAT JSONCompactEachRow"
            " SETTINGS output_format_json_quote_64bit_integers = 0"
        )
        count = self.command(f"SELECT count() FROM {source} FORMAT TSV").strip()
        rows = [json.loads(line) for line in self.command(text).splitlines()]
        if count != str(len(rows)):
            raise DatabaseAwayError(f"{source} has {count or 'no count of'} rows, {len(rows)} came")
        return rows

    def checkpoints(self) -> dict[Place, dict[str, Any]]:
        """What all checkpoints say, by log and partition."""
        names = ("next_offset", "start_offset", "received", "accepted", "duplicate", "late")
        rows = self.rows(f"log, partition, {', '.join(names)}, rejected", "checkpoints FINAL")
        return {
            (log, partition): dict(zip((*names, "rejected"), values, strict=True))
            for log, partition, *values in rows
        }

    def offsets(self) -> dict[Place, int]:
        """How far each partition is metered."""
        rows = self.rows("log, partition, next_offset", "checkpoints FINAL")
        return {(log, partition): offset for log, partition, offset in rows}

    def found(self) -> Found:
        """All that the oracle compares."""
        letters = self.rows("log, partition, offset, reason", "dead_letters FINAL")
        return Found(
            {view: self._view(view) for view in VIEWS},
            self.checkpoints(),
            {(log, partition, offset): reason for log, partition, offset, reason in letters},
        )

    def _view(self, view: str) -> Rows:
        names = [
            "toUnixTimestamp(window_start)" if name == "window_start" else name
            for name in VIEWS[view]
        ]
        width = len(names)
        rows = self.rows(", ".join([*names, *COLUMNS_OF[view]]), view)
        return {tuple(row[:width]): tuple(int(value) for value in row[width:]) for row in rows}
