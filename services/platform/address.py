"""The address a service listens on."""

from __future__ import annotations

import socket

from services.platform.errors import ConfigurationError


def require_free(host: str, port: int, setting_prefix: str) -> None:
    """Refuse an address that is taken: a server would share it, or say so in a log line only.

    ``setting_prefix`` names the settings to change, such as ``WATTOKEN_INGEST``. Raises
    `ConfigurationError`.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, proto) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {host}:{port} ({error.strerror}): set {setting_prefix}_HOST and"
            f" {setting_prefix}_PORT to a free address"
        ) from None
