"""The text of a key, ``wtk_<lookup id>_<secret>``, and the hash under which it is stored.

The file holds no secret, only its HMAC-SHA256 under a pepper that lies in a file of its own.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import b64decode
from typing import Any, Final

from services.ingest.keys.entry import KeyEntry

KEY_PREFIX: Final = "wtk"
SECRET_BYTES: Final = 32
PEPPER_BYTES_MIN: Final = 32
DIGEST_BYTES: Final = 32


def new_pepper() -> bytes:
    """A fresh pepper, as the pepper file holds it."""
    return secrets.token_hex(SECRET_BYTES).encode()


def new_key(
    tenant: str, region: str, pepper: bytes, provider: str | None = None, **fields: Any
) -> tuple[str, KeyEntry]:
    """Make a key: its text, to be shown once, and the entry for the keys file.

    ``fields`` are further fields of `KeyEntry`; raises pydantic's `ValidationError` for bad ones.
    """
    lookup_id = secrets.token_hex(8)
    secret = secrets.token_urlsafe(SECRET_BYTES)
    entry = KeyEntry(
        id=lookup_id,
        hmac_sha256=digest(pepper.strip(), secret).hex(),
        tenant=tenant,
        region=region,
        provider=provider,
        **fields,
    )
    return f"{KEY_PREFIX}_{lookup_id}_{secret}", entry


def digest(pepper: bytes, secret: str) -> bytes:
    """Hash a key's secret."""
    return hmac.digest(pepper, secret.encode("utf-8", "surrogatepass"), "sha256")


def parse_key(authorization: str) -> tuple[str, str] | None:
    """Split an ``Authorization`` header into lookup id and secret; None if it is no key of ours.

    ``Bearer`` and the key, or ``Basic`` with the key as the password: a sender that lets one set
    no header but a URL can send that.
    """
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() == "basic":
        try:
            _, _, text = b64decode(text.strip(), validate=True).decode().partition(":")
        except ValueError:
            return None
        scheme = "bearer"
    prefix, _, rest = text.strip().partition("_")
    lookup_id, _, secret = rest.partition("_")
    if scheme.lower() != "bearer" or prefix != KEY_PREFIX or not secret:
        return None
    return lookup_id, secret
