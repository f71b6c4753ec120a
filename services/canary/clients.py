"""The edges: ingest, which a round is sent to, and the exporter, which says what is metered."""

from __future__ import annotations

import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from services.canary.books import Metered
from services.canary.errors import AttemptError
from services.canary.readings import QUERY, metered_in
from services.platform.direct_http import direct_opener
from services.platform.errors import ConfigurationError

#: What may be wrong, by whom: `wattoken_canary_failed_attempts_total` begins with each at 0.
FAILURES: Final = (
    *("ingest_unreachable", "ingest_unavailable", "ingest_refuses"),
    *("exporter_unreachable", "exporter_unavailable", "registers_unread"),
)
#: Answers of ingest after which the same may be taken later, as it stands.
_LATER: Final = frozenset({408, 429, 500, 502, 503, 504})
_REASON_BYTES_MAX: Final = 300


class Http:
    """Asks one service over HTTP or HTTPS, directly: no proxy that the environment names.

    Raises `ConfigurationError` for an address or a file of certificates that is none.
    """

    def __init__(
        self, setting: str, url: str, ca_file: Path | None, timeout_seconds: float
    ) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ConfigurationError(f"{setting}: {url!r} is no http(s) URL")
        trusted = ca_file if urlsplit(url).scheme == "https" else None
        self._opener = direct_opener(trusted, "WATTOKEN_CANARY_CA_FILE")
        self._setting = setting
        self._url = url.rstrip("/")
        self._timeout_seconds = timeout_seconds

    def ask(
        self, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Ask once; returns status and body. Raises `OSError` where there is no answer."""
        request = urllib.request.Request(self._url + path, data=body, headers=headers or {})
        try:
            with self._opener.open(request, timeout=self._timeout_seconds) as answer:
                return int(answer.status), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(_REASON_BYTES_MAX)
        except (OSError, HTTPException) as error:
            raise OSError(
                f"{self._url} does not answer: {error}; is that where it is ({self._setting})?"
            ) from None


class Ingest:
    """Takes rounds, with one API key."""

    def __init__(self, http: Http, key: str) -> None:
        self._http = http
        self._headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/x-ndjson",
        }

    def send(self, body: bytes) -> None:
        """Send a round; returns once all of it is acknowledged.

        Raises `AttemptError` otherwise, whatever of it was taken: it is to be sent again.
        """
        try:
            status, answer = self._http.ask("/v1/events", body, self._headers)
        except OSError as error:
            raise AttemptError("ingest_unreachable", str(error)) from None
        if status == 202:
            return
        what = "ingest_unavailable" if status in _LATER else "ingest_refuses"
        raise AttemptError(what, f"ingest answers {status}: {_line(answer)}")


class Exporter:
    """Says what the registers hold of one canary."""

    def __init__(self, http: Http, name: str) -> None:
        self._http = http
        self._name = name

    def read(self) -> Metered:
        """Read once. Raises `AttemptError`."""
        try:
            status, answer = self._http.ask(f"/metrics?{QUERY}")
        except OSError as error:
            raise AttemptError("exporter_unreachable", str(error)) from None
        if status != 200:
            raise AttemptError(
                "exporter_unavailable", f"the exporter answers {status}: {_line(answer)}"
            )
        try:
            found = metered_in(answer.decode(), self._name)
        except ValueError as error:
            raise AttemptError("exporter_unavailable", f"the exporter's text: {error}") from None
        if found is None:
            raise AttemptError("registers_unread", "the exporter cannot read the registers")
        return found


def _line(answer: bytes) -> str:
    return " ".join(answer[:_REASON_BYTES_MAX].decode(errors="replace").split())
