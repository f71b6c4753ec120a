"""The keys file and the pepper file: read with errors that say what to fix, written whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml
from pydantic import ValidationError

from services.ingest.keys.entry import KeyEntry
from services.ingest.keys.secret import PEPPER_BYTES_MIN
from services.platform.errors import ConfigurationError


def write_keys_file(path: Path, entries: Iterable[KeyEntry]) -> None:
    """Write the keys file again, readable by its owner only; it is whole or the old one stays."""
    document = {"keys": [entry.model_dump(mode="json", exclude_defaults=True) for entry in entries]}
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            yaml.safe_dump(document, file, sort_keys=False)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_keys_file(path: Path) -> list[KeyEntry]:
    """Read the entries of a keys file.

    Raises `ConfigurationError` naming the file, the entry (by place and id) and what is wrong.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot read the keys file {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the keys file {path} is no YAML") from error
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
