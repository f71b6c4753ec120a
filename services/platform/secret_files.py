"""Files that settings name: secrets, certificates, keys."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from services.platform.errors import ConfigurationError

if TYPE_CHECKING:
    from pydantic import SecretStr


def secret(value: SecretStr, file: Path | None) -> str:
    """The secret itself: from ``file`` where one is named, else ``value``.

    Raises `ConfigurationError` when the file cannot be read.
    """
    return value.get_secret_value() if file is None else read_secret(file)


def read_secret(file: Path) -> str:
    """What a file of one secret holds. Raises `ConfigurationError` when it cannot be read."""
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigurationError(f"cannot read the secret file {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        # The error has what was read in it.
        raise ConfigurationError(f"the secret file {file} is no text in UTF-8") from None


def require_readable(setting: str, path: Path) -> None:
    """Raise `ConfigurationError`, naming the setting, where a file cannot be read."""
    try:
        path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{setting}: cannot read {path}: {error.strerror}") from None
