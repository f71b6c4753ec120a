"""Changes to the keys file: create, revoke and rotate, one change at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from services.ingest.keys.entry import KeyEntry
from services.ingest.keys.file import read_keys_file, read_pepper, write_keys_file
from services.ingest.keys.secret import new_key, new_pepper
from services.platform.errors import ConfigurationError


class KeyStore:
    """The keys file and its pepper; ingest notices each change by itself."""

    def __init__(self, keys_file: Path, pepper_file: Path) -> None:
        self._keys_file = keys_file
        self._pepper_file = pepper_file

    def entries(self) -> list[KeyEntry]:
        """Read the keys; raises `ConfigurationError` when the file cannot be read."""
        return read_keys_file(self._keys_file)

    def create(self, now: datetime, tenant: str, region: str, **fields: Any) -> tuple[str, str]:
        """Add a new key; makes either file where there is none. Returns (id, the key's text).

        Raises `ConfigurationError` when a file that exists cannot be read or a field is wrong.
        """
        with self._changing():
            self._make_pepper()
            entries = self.entries() if self._keys_file.exists() else []
            try:
                text, entry = new_key(
                    tenant, region, read_pepper(self._pepper_file), created_at=now, **fields
                )
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                field = ".".join(str(part) for part in first["loc"])
                raise ConfigurationError(f"{field}: {first['msg']}") from None
            write_keys_file(self._keys_file, [*entries, entry])
        return entry.id, text

    def revoke(self, key_id: str) -> None:
        """Refuse a key from now on; raises `ConfigurationError` when there is none such."""
        with self._changing():
            entries = self.entries()
            found = self._find(entries, key_id)
            self._write_with(entries, found.model_copy(update={"disabled": True}))

    def rotate(self, key_id: str, now: datetime, grace: timedelta) -> tuple[str, str]:
        """Make a new key that stands for the same; the old one works for ``grace`` more.

        Returns (new id, the new key's text). The new key has no expiry, the old one never a
        later one than it had. Raises `ConfigurationError` for a key that is revoked or expired.
        """
        with self._changing():
            entries = self.entries()
            old = self._find(entries, key_id)
            if old.disabled or old.expired(now):
                raise ConfigurationError(
                    f"key {key_id} is {old.state(now)}: make a new one with `wattoken keys create`"
                )
            ends = now + grace
            if old.expires_at is not None and not old.expired(ends):
                replaced = old.model_copy(update={"expires_at": ends})
            else:
                replaced = old.model_copy(update={"expires_at": old.expires_at or ends})
            text, entry = new_key(old.tenant, old.region, read_pepper(self._pepper_file))
            kept = {"id", "hmac_sha256", "created_at", "expires_at", "disabled"}
            same = {name: getattr(old, name) for name in KeyEntry.model_fields if name not in kept}
            entry = entry.model_copy(update={**same, "created_at": now})
            self._write_with([*entries, entry], replaced)
        return entry.id, text

    def _find(self, entries: list[KeyEntry], key_id: str) -> KeyEntry:
        for entry in entries:
            if entry.id == key_id:
                return entry
        raise ConfigurationError(
            f"there is no key {key_id!r} in {self._keys_file}: `wattoken keys list` shows all"
        )

    def _write_with(self, entries: list[KeyEntry], changed: KeyEntry) -> None:
        write_keys_file(
            self._keys_file, [changed if entry.id == changed.id else entry for entry in entries]
        )

    def _make_pepper(self) -> None:
        if self._pepper_file.exists():
            return
        handle = os.open(self._pepper_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(new_pepper() + b"\n")

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Keep other commands from changing the file meanwhile; each would undo the other's."""
        lock = self._keys_file.with_name(f".{self._keys_file.name}.lock")
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigurationError(
                f"cannot write beside {self._keys_file}: {error.strerror}"
            ) from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def add_key(
    keys_file: Path, pepper_file: Path, tenant: str, region: str, provider: str | None
) -> str:
    """Add a key for ingest only, of any region unless an event says nothing; return its text.

    Raises `ConfigurationError` when a file that exists cannot be read or a name is no name.
    """
    store = KeyStore(keys_file, pepper_file)
    _, text = store.create(datetime.now(UTC), tenant, region, provider=provider)
    return text
