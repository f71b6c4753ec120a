"""One POST at a time over one kept connection; library exceptions end here."""

from __future__ import annotations

import gzip
import os
import ssl
import time
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ProxyError,
    SSLError,
)
from wattoken.client.answers import Answer, NoAnswer
from wattoken.client.errors import ConfigurationError

PATH: Final = "/v1/events"
#: Smaller bodies gain nothing from compression.
_GZIP_BYTES_MIN: Final = 1024
_ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class Transport:
    """Posts batches to one ingest; for one thread.

    ``timeout_seconds`` bounds connecting, each wait for bytes, and reading the answer. Proxies
    are taken from the environment, as usual, except for this machine itself. Over https only the
    authorities in ``ca_file`` are trusted, where one is named. Raises `ConfigurationError` for an
    address or a file that is none.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        timeout_seconds: float,
        ca_file: str | os.PathLike[str] | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(f"{url!r} is no address: give one such as https://ingest:8080")
        if not api_key or not api_key.isascii() or not api_key.isprintable():
            raise ConfigurationError("the API key is empty or not plain text: give wtk_…")
        self._url = url.rstrip("/") + PATH
        self._timeout_seconds = timeout_seconds
        self._headers = {
            "Authorization": f"Bearer {api_key}",
            "Content-Type": "application/x-ndjson",
            "User-Agent": "wattoken-client",
        }
        proxy = None
        if parts.hostname not in _LOOPBACK and not proxy_bypass(parts.netloc):
            proxy = getproxies().get(parts.scheme)
        context = None if ca_file is None else _trusting(ca_file)
        self._pool = (
            urllib3.ProxyManager(proxy, maxsize=1, ssl_context=context)
            if proxy
            else urllib3.PoolManager(maxsize=1, ssl_context=context)
        )

    def post(self, lines: Sequence[bytes]) -> Answer | NoAnswer:
        """Send events, one a line, and wait for the answer."""
        body, headers = b"\n".join(lines), self._headers
        if len(body) >= _GZIP_BYTES_MIN:
            body, headers = gzip.compress(body, 1), {**headers, "Content-Encoding": "gzip"}
        try:
            response = self._pool.request(
                "POST",
                self._url,
                body=body,
                headers=headers,
                timeout=urllib3.Timeout(self._timeout_seconds, self._timeout_seconds),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            return self._read(response)
        except (NewConnectionError, ConnectTimeoutError, ProxyError) as error:
            return NoAnswer(f"no connection ({type(error).__name__})", may_have_arrived=False)
        except SSLError as error:
            # Whom we do not trust was sent nothing; any other may have been.
            cause = error.args[0] if error.args else None
            if isinstance(cause, ssl.SSLCertVerificationError):
                why = f"certificate not trusted: {cause.verify_message}"
                return NoAnswer(f"no connection ({why})", may_have_arrived=False)
            return NoAnswer(f"no answer ({type(error).__name__})", may_have_arrived=True)
        except (HTTPError, OSError) as error:
            return NoAnswer(f"no answer ({type(error).__name__})", may_have_arrived=True)

    def _read(self, response: urllib3.BaseHTTPResponse) -> Answer | NoAnswer:
        """Read the answer's body; one that drips or never ends is cut off."""
        deadline = time.monotonic() + self._timeout_seconds
        body = bytearray()
        while chunk := response.read1(65_536):
            body += chunk
            if time.monotonic() > deadline or len(body) > _ANSWER_BYTES_MAX:
                response.close()
                return NoAnswer("no end of the answer", may_have_arrived=True)
        response.release_conn()
        return Answer(response.status, bytes(body), response.headers.get("Retry-After"))

    def close(self) -> None:
        """Close the connection."""
        self._pool.clear()


def _trusting(ca_file: str | os.PathLike[str]) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ConfigurationError(
            f"cannot read certificates of an authority from {os.fspath(ca_file)}:"
            f" {error.strerror or error}"
        ) from None
