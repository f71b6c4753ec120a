"""PURE: heads that two readers could read differently are refused, not guessed at.

A proxy that takes the first of two ``Authorization`` headers and ingest that takes the last would
each know another sender. What the server below makes of a head before it is seen here is in
SECURITY.md: it refuses lengths that differ and spaces before a colon, and takes bare line feeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.ingest.errors import MalformedError

#: What is read of a head, and may stand there once; so may each attribute of a CloudEvent.
_SINGLE: Final = frozenset(
    (
        *(b"host", b"authorization", b"content-type", b"content-length", b"content-encoding"),
        b"transfer-encoding",
    )
)
_ATTRIBUTE: Final = b"ce-"
_CHUNKED: Final = b"chunked"


def check_headers(headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Refuse a request whose head is ambiguous; raises `MalformedError`."""
    names = [name for name, _ in headers]
    if len(set(names)) < len(names):
        for name in sorted(set(names)):
            if names.count(name) > 1 and (name in _SINGLE or name.startswith(_ATTRIBUTE)):
                raise MalformedError(
                    f"the header {name.decode('latin-1')} is there twice: send one"
                )
    if b"transfer-encoding" not in names:
        return
    coding = next(value for name, value in headers if name == b"transfer-encoding")
    if coding.strip().lower() != _CHUNKED:
        raise MalformedError(
            "Transfer-Encoding may be chunked and nothing else: name what the body is compressed"
            " with in Content-Encoding"
        )
    if b"content-length" in names:
        raise MalformedError("Content-Length beside Transfer-Encoding: send one of them")
