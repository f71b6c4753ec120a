"""The HTTP server: it says plainly when it cannot listen."""

from __future__ import annotations

import socket

import pytest

from services.platform.connections import ConnectionLimits
from services.platform.errors import ConfigurationError
from services.serving.server import serve

LIMITS = ConnectionLimits(100, 100, 60)


def test_a_taken_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"127\.0\.0\.1:{port} .* WATTOKEN_X_PORT"):
            serve(None, "127.0.0.1", port, "WATTOKEN_X", 1.0, LIMITS)


def test_an_address_that_is_not_ours_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"192\.0\.2\.1"):
        serve(None, "192.0.2.1", 8080, "WATTOKEN_X", 1.0, LIMITS)
