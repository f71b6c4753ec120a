"""PURE. What a certificate says of itself: whose it is, and until when it counts.

Python's library tells that of a peer's certificate only, and only once it trusts it, so the few
fields are read from the encoding here (X.690 DER of RFC 5280). OpenSSL has read the certificate
before, so what does not fit is a fault and raises `ValueError`.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

_BLOCK: Final = re.compile(b"-----BEGIN CERTIFICATE-----([^-]*+)-----END CERTIFICATE-----")
_LONG_FORM: Final = 0x80
#: Tags of a certificate's parts.
_VERSION: Final = 0xA0
_EXTENSIONS: Final = 0xA3
_UTC_TIME: Final = 0x17
_BMP_STRING: Final = 0x1E
_DNS_NAME: Final = 0x82
_SUBJECT_ALTERNATIVE_NAME: Final = b"\x55\x1d\x11"
#: Attributes of a name, by the last octet of their identifier 2.5.4.x.
_ATTRIBUTES: Final = {3: "CN", 6: "C", 7: "L", 8: "ST", 10: "O", 11: "OU"}


@dataclass(frozen=True, slots=True)
class Certificate:
    """Whose a certificate is, which one of theirs, and when it counts."""

    subject: str
    #: DNS names it is for.
    names: tuple[str, ...]
    #: As hexadecimal digits.
    serial: str
    not_before: datetime
    not_after: datetime


def read_certificates(pem: bytes) -> list[Certificate]:
    """Read each certificate of a PEM file, in their order: the server's own is the first."""
    return [_read(b64decode(block)) for block in _BLOCK.findall(pem)]


def _read(der: bytes) -> Certificate:
    (_, whole), *_ = _parts(der)
    (_, signed), *_ = _parts(whole)
    fields = [part for part in _parts(signed) if part[0] != _VERSION]
    serial, _, _, validity, subject, *rest = fields
    not_before, not_after = (_time(tag, value) for tag, value in _parts(validity[1]))
    extensions = [value for tag, value in rest if tag == _EXTENSIONS]
    return Certificate(
        subject=_name(subject[1]),
        names=tuple(_names(extensions[0])) if extensions else (),
        serial=serial[1].hex(),
        not_before=not_before,
        not_after=not_after,
    )


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Take a value apart into the tags and values that it is made of."""
    at = 0
    while at < len(data):
        if len(data) < at + 2:
            raise ValueError("a certificate's field has no length")
        tag, length = data[at], data[at + 1]
        at += 2
        if length >= _LONG_FORM:
            octets = length - _LONG_FORM
            length = int.from_bytes(data[at : at + octets], "big")
            at += octets
        if at + length > len(data):
            raise ValueError("a certificate's field ends too early")
        yield tag, data[at : at + length]
        at += length


def _time(tag: int, value: bytes) -> datetime:
    """Read a time; of two digits of a year, 50 and above are of the last century."""
    text = value.decode("ascii")
    if tag == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _name(value: bytes) -> str:
    found = []
    for _, group in _parts(value):
        for _, attribute in _parts(group):
            (_, kind), (tag, text) = _parts(attribute)
            name = _ATTRIBUTES.get(kind[-1]) if kind[:2] == b"\x55\x04" else None
            if name is not None:
                encoding = "utf-16-be" if tag == _BMP_STRING else "utf-8"
                found.append(f"{name}={text.decode(encoding, 'replace')}")
    return ", ".join(found)


def _names(value: bytes) -> Iterator[str]:
    (_, extensions), *_ = _parts(value)
    for _, extension in _parts(extensions):
        (_, kind), *_, (_, content) = _parts(extension)
        if kind == _SUBJECT_ALTERNATIVE_NAME:
            (_, names), *_ = _parts(content)
            yield from (
                name.decode("ascii", "replace") for tag, name in _parts(names) if tag == _DNS_NAME
            )
