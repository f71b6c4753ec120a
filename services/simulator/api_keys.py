"""The API keys that simulated gateways send with: one, or a folder of ``<tenant>.key`` files."""

from __future__ import annotations

from pathlib import Path

from services.platform.errors import ConfigurationError


def read_keys(folder: Path) -> dict[str, str]:
    """Read ``<tenant>.key`` files: tenant -> key.

    Raises `ConfigurationError` when there are none or one cannot be read.
    """
    try:
        keys = {
            path.stem: path.read_text(encoding="utf-8").strip()
            for path in sorted(folder.glob("*.key"))
        }
    except OSError as error:
        raise ConfigurationError(f"cannot read {error.filename}: {error.strerror}") from None
    if not keys:
        raise ConfigurationError(f"{folder} holds no <tenant>.key files")
    return keys
