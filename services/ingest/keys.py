"""API keys: made, stored as HMAC-SHA256 under a lookup id, and verified in constant time.

A key reads ``wtk_<lookup id>_<secret>``. The file holds no secret, only its HMAC under a pepper
that lies in a file of its own; what the key stands for (tenant, region) is never in a request.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.usage_event import Name
from services.ingest.errors import ForbiddenError, UnauthorizedError
from services.platform.errors import ConfigurationError

KEY_PREFIX: Final = "wtk"
SECRET_BYTES: Final = 32
PEPPER_BYTES_MIN: Final = 32
_UNKNOWN: Final = (
    "this API key is not known: send `Authorization: Bearer wtk_…` with a key from the keys file"
)


class KeyEntry(BaseModel):
    """One key as the file holds it: what it stands for, and what its secret hashes to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[0-9A-Za-z]{4,64}$")]
    hmac_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    tenant: Name
    region: Name
    #: The provider of events that name none.
    provider: Name | None = None
    #: A disabled or expired key is refused with 403, so that its owner learns why.
    disabled: bool = False
    expires_at: datetime | None = None


def new_pepper() -> bytes:
    """A fresh pepper, as the pepper file holds it."""
    return secrets.token_hex(SECRET_BYTES).encode()


def new_key(
    tenant: str, region: str, pepper: bytes, provider: str | None = None
) -> tuple[str, KeyEntry]:
    """Make a key: its text, to be shown once, and the entry for the keys file."""
    lookup_id = secrets.token_hex(8)
    secret = secrets.token_urlsafe(SECRET_BYTES)
    entry = KeyEntry(
        id=lookup_id,
        hmac_sha256=_digest(pepper.strip(), secret),
        tenant=tenant,
        region=region,
        provider=provider,
    )
    return f"{KEY_PREFIX}_{lookup_id}_{secret}", entry


def write_keys_file(path: Path, entries: Iterable[KeyEntry]) -> None:
    """Write the keys file anew, readable by its owner only; it is whole or the old one stays."""
    document = {"keys": [entry.model_dump(mode="json", exclude_defaults=True) for entry in entries]}
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            yaml.safe_dump(document, file, sort_keys=False)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def add_key(
    keys_file: Path, pepper_file: Path, tenant: str, region: str, provider: str | None
) -> str:
    """Add a new key to the keys file and return its text; makes either file where there is none.

    Raises `ConfigurationError` when a file that exists cannot be read or a name is no name.
    """
    if not pepper_file.exists():
        pepper_file.touch(mode=0o600)
        pepper_file.write_bytes(new_pepper() + b"\n")
    entries = read_keys_file(keys_file) if keys_file.exists() else []
    try:
        text, entry = new_key(tenant, region, read_pepper(pepper_file), provider)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ConfigurationError(f"{first['loc'][0]}: {first['msg']}") from None
    write_keys_file(keys_file, [*entries, entry])
    return text


def read_keys_file(path: Path) -> list[KeyEntry]:
    """Read the entries of a keys file.

    Raises `ConfigurationError` naming the file, the entry (by place and id) and what is wrong.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot read the keys file {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ConfigurationError(f"the keys file {path} is no YAML") from None
    listed = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(listed, list):
        raise ConfigurationError(f"the keys file {path} must have a list `keys:` at its top")
    entries: list[KeyEntry] = []
    seen: set[str] = set()
    for place, value in enumerate(listed):
        entry = _read_entry(path, place, value)
        if entry.id in seen:
            raise ConfigurationError(f"the keys file {path} has two entries with id {entry.id!r}")
        seen.add(entry.id)
        entries.append(entry)
    return entries


def _read_entry(path: Path, place: int, value: object) -> KeyEntry:
    try:
        return KeyEntry.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "entry"
        named = f" (id {value['id']!r})" if isinstance(value, Mapping) and "id" in value else ""
        raise ConfigurationError(
            f"the keys file {path}, entry {place}{named}: {field}: {first['msg']}"
        ) from None


def read_pepper(path: Path) -> bytes:
    """Read the pepper; raises `ConfigurationError` when it is missing or too short."""
    try:
        pepper = path.read_bytes().strip()
    except OSError as error:
        raise ConfigurationError(f"cannot read the pepper file {path}: {error.strerror}") from None
    if len(pepper) < PEPPER_BYTES_MIN:
        raise ConfigurationError(
            f"the pepper file {path} must hold at least {PEPPER_BYTES_MIN} bytes of random text"
        )
    return pepper


class KeyRing:
    """The keys that may send, looked up by their id."""

    def __init__(self, entries: Iterable[KeyEntry], pepper: bytes) -> None:
        self._entries = {entry.id: entry for entry in entries}
        self._pepper = pepper

    @classmethod
    def load(cls, keys_file: Path, pepper_file: Path) -> KeyRing:
        """Read both files; raises `ConfigurationError` naming what is wrong with which."""
        return cls(read_keys_file(keys_file), read_pepper(pepper_file))

    def verify(self, authorization: str | None, now: datetime) -> KeyEntry:
        """Say which key an ``Authorization`` header bears.

        Raises `UnauthorizedError` for none or an unknown one, `ForbiddenError` for a known one
        that is disabled or expired at ``now``. An unknown id costs as much time as a wrong secret.
        """
        if not authorization:
            raise UnauthorizedError("no API key: send the header `Authorization: Bearer wtk_…`")
        scheme, _, text = authorization.partition(" ")
        prefix, _, rest = text.strip().partition("_")
        lookup_id, _, secret = rest.partition("_")
        if scheme.lower() != "bearer" or prefix != KEY_PREFIX or not secret:
            raise UnauthorizedError(_UNKNOWN)
        entry = self._entries.get(lookup_id)
        expected = entry.hmac_sha256 if entry is not None else "0" * 64
        matches = hmac.compare_digest(_digest(self._pepper, secret), expected)
        if entry is None or not matches:
            raise UnauthorizedError(_UNKNOWN)
        if entry.disabled:
            raise ForbiddenError(f"API key {lookup_id} is disabled: use another key")
        if entry.expires_at is not None and now >= _utc(entry.expires_at):
            raise ForbiddenError(f"API key {lookup_id} has expired: use a newer key")
        return entry


def _digest(pepper: bytes, secret: str) -> str:
    return hmac.new(pepper, secret.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def _utc(moment: datetime) -> datetime:
    # YAML times without a zone are UTC by YAML's own definition.
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
