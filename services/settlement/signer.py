"""The private key that bills are signed with: Ed25519 (RFC 8032), from a file of PEM."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from services.platform.errors import ConfigurationError
from services.settlement.bill import Sign

_HOW = (
    "make one with `openssl genpkey -algorithm ed25519 -out settlement.pem`, keep it where only"
    " this command can read it, and name it in WATTOKEN_SETTLEMENT_KEY_FILE"
)


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs; ``public_key`` is 32 bytes in hex."""

    public_key: str
    sign: Sign


def read_signer(path: Path | None) -> Signer:
    """Read the key. Raises `ConfigurationError`, saying how to make one."""
    if path is None:
        raise ConfigurationError(f"there is no key to sign bills with: {_HOW}")
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise ConfigurationError(
            "signatures need the package cryptography: pip install 'wattoken[settle]'"
            " (in a clone `make setup`)"
        ) from None
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise ConfigurationError(
            f"WATTOKEN_SETTLEMENT_KEY_FILE: cannot read {path}: {error.strerror}"
        ) from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The error may have what was read in it.
        raise ConfigurationError(
            f"WATTOKEN_SETTLEMENT_KEY_FILE: {path} holds no private key without a password: {_HOW}"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(
            f"WATTOKEN_SETTLEMENT_KEY_FILE: {path} holds a key of another kind: {_HOW}"
        )
    return Signer(key.public_key().public_bytes_raw().hex(), key.sign)
