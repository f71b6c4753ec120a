"""The probe of the containers' health checks: the images have neither shell tools nor curl."""

from __future__ import annotations

import urllib.error
from typing import Final
from urllib.parse import urlsplit

from services.platform.direct_http import direct_opener
from services.platform.errors import ConfigurationError, UnavailableError

TIMEOUT_SECONDS: Final = 5.0
_REASON_BYTES_MAX: Final = 300


def probe(url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
    """Ask ``url`` once; return when it answers 200.

    Raises `UnavailableError` saying what it answers instead, `ConfigurationError` for what is no
    HTTP URL.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise ConfigurationError(f"{url!r} is no http(s) URL")
    try:
        with direct_opener().open(url, timeout=timeout_seconds) as answer:
            status = answer.status
    except urllib.error.HTTPError as error:
        reason = error.read(_REASON_BYTES_MAX).decode(errors="replace")
        raise UnavailableError(f"{url} answers {error.code}: {' '.join(reason.split())}") from None
    except (OSError, ValueError) as error:
        raise UnavailableError(f"{url} does not answer: {error}") from None
    if status != 200:
        raise UnavailableError(f"{url} answers {status}")
