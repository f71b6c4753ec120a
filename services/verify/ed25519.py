"""Ed25519 signatures (RFC 8032), by the package `cryptography`; and keys as files of PEM."""

from __future__ import annotations

from pathlib import Path

from services.platform.errors import ConfigurationError


def is_signed(key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether a signature over a message is one of a public key of 32 bytes.

    Raises `ConfigurationError` where `cryptography` is not installed.
    """
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise _missing() from None
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def read_public_key(path: Path) -> bytes:
    """Read the 32 bytes of a public key from a file of PEM, or of 64 digits of hex.

    Raises `ConfigurationError`, saying what the file must hold.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot read the key {path}: {error.strerror}") from None
    try:
        text = content.decode("ascii").strip()
        if len(text) == 64:
            return bytes.fromhex(text)
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        key = load_pem_public_key(content)
        if isinstance(key, Ed25519PublicKey):
            return key.public_bytes_raw()
    except ImportError:
        raise _missing() from None
    except ValueError:
        pass
    raise ConfigurationError(
        f"{path} holds no Ed25519 public key: give the file that `openssl pkey -in settlement.pem"
        " -pubout` wrote, or its 32 bytes in hex"
    )


def _missing() -> ConfigurationError:
    return ConfigurationError(
        "signatures need the package cryptography: pip install 'wattoken[settle]'"
        " (in a clone `make setup`)"
    )
