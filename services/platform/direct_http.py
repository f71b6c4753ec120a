"""How services of a deployment ask each other over HTTP: directly, trusting whom they are told."""

from __future__ import annotations

import ssl
import urllib.request
from pathlib import Path

from services.platform.errors import ConfigurationError


def direct_opener(ca_file: Path | None = None, setting: str = "") -> urllib.request.OpenerDirector:
    """Give what opens addresses without a proxy: one that the environment names is for the outside.

    Over https only the authorities of ``ca_file`` are trusted, the system's where it is None.
    Raises `ConfigurationError`, which names the ``setting``, where the file cannot be used.
    """
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if ca_file is not None:
        try:
            trusting = ssl.create_default_context(cafile=ca_file)
        except OSError as error:
            reason = error.strerror or error
            raise ConfigurationError(f"{setting}: cannot read {ca_file}: {reason}") from None
        handlers.append(urllib.request.HTTPSHandler(context=trusting))
    return urllib.request.build_opener(*handlers)
