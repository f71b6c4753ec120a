"""Asks a broker for the features that it knows, the one thing by which it tells its version.

No client of ours asks that. The request (ApiVersions, version 3 of Kafka's protocol) may be sent
before a user is named, so it needs TLS, where there is TLS, and nothing else.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from typing import Any, Final

from services.platform.hello import HELLO_SECONDS
from services.platform.kafka_security import ssl_context
from services.platform.varint import VarintError, read_varint

METADATA_VERSION: Final = "metadata.version"
_SUPPORTED_FEATURES_TAG: Final = 0
_ANSWER_BYTES_MAX: Final = 1 << 20


def metadata_level(config: Mapping[str, Any], host: str, port: int) -> int | None:
    """The highest level of `METADATA_VERSION` that a broker knows; None where it tells none.

    ``config`` is a client's, of which TLS is taken. Raises `OSError` where it does not answer.
    """
    context = ssl_context(config)
    with socket.create_connection((host, port), HELLO_SECONDS) as plain:
        if context is None:
            answer = _ask(plain)
        else:
            with context.wrap_socket(plain, server_hostname=host) as wrapped:
                answer = _ask(wrapped)
    try:
        return supported_features(answer).get(METADATA_VERSION)
    except (VarintError, struct.error):
        return None


def _ask(connection: socket.socket) -> bytes:
    # Key 18, version 3, correlation 1, no client id, no tags; then name and version of the client.
    body = struct.pack(">hhih", 18, 3, 1, -1) + b"\0" + b"\x09wattoken" + b"\x021" + b"\0"
    connection.sendall(struct.pack(">i", len(body)) + body)
    (size,) = struct.unpack(">i", _read(connection, 4))
    if not 0 < size <= _ANSWER_BYTES_MAX:
        raise OSError("no answer in Kafka's protocol")
    return _read(connection, size)


def _read(connection: socket.socket, count: int) -> bytes:
    read = b""
    while len(read) < count:
        more = connection.recv(count - len(read))
        if not more:
            raise OSError("the connection was ended")
        read += more
    return read


def supported_features(answer: bytes) -> dict[str, int]:
    """Read an answer: each feature, and its highest level.

    A broker that knows no version 3 answers in version 0, which has none. Raises `VarintError` and
    `struct.error` for what is no answer.
    """
    reader = _Reader(answer, 4)
    if reader.int16() != 0:
        return {}
    for _ in range(reader.length()):
        reader.skip(6)
        reader.tags()
    reader.skip(4)
    return reader.features()


class _Reader:
    """Reads Kafka's compact types."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def skip(self, count: int) -> None:
        self._at += count

    def int16(self) -> int:
        (value,) = struct.unpack_from(">h", self._data, self._at)
        self._at += 2
        return int(value)

    def varint(self) -> int:
        value, self._at = read_varint(self._data, self._at)
        return value

    def length(self) -> int:
        return self.varint() - 1

    def text(self) -> str:
        size = self.length()
        self._at += size
        return self._data[self._at - size : self._at].decode()

    def tags(self) -> None:
        for _ in range(self.varint()):
            self.varint()
            self.skip(self.varint())

    def features(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for _ in range(self.varint()):
            tag, size = self.varint(), self.varint()
            end = self._at + size
            if tag == _SUPPORTED_FEATURES_TAG:
                for _ in range(self.length()):
                    name = self.text()
                    self.int16()
                    found[name] = self.int16()
                    self.tags()
            self._at = end
        return found
