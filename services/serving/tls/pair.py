"""A certificate and its key: read from their files, and checked before anything serves them.

The server (granian) ends the whole process on a pair that it cannot read. So it is never given a
file, which may change between our look and its own, but the very bytes that were checked; and what
it makes of them is tried in a process of its own (`services.serving.tls.trial`).
"""

from __future__ import annotations

import ssl
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from services.platform.errors import ConfigurationError
from services.serving.tls.certificate import Certificate, read_certificates
from services.serving.tls.memory_file import memory_file

CERTIFICATE_SETTING: Final = "WATTOKEN_INGEST_TLS_CERTIFICATE_FILE"
KEY_SETTING: Final = "WATTOKEN_INGEST_TLS_KEY_FILE"
_FILE_BYTES_MAX: Final = 256 * 1024
_TRIAL_SECONDS: Final = 30.0
_KEY_LABELS: Final = (
    b"-----BEGIN PRIVATE KEY-----",
    b"-----BEGIN RSA PRIVATE KEY-----",
    b"-----BEGIN EC PRIVATE KEY-----",
)
_ENCRYPTED: Final = (b"-----BEGIN ENCRYPTED PRIVATE KEY-----", b"Proc-Type: 4,ENCRYPTED")


@dataclass(frozen=True, slots=True)
class PairFiles:
    """Where the certificate (with its chain) and its key are."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Pair:
    """What the two files hold, both as PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CheckedPair:
    """A pair that can be served, and what its chain says."""

    pair: Pair
    chain: tuple[Certificate, ...]

    @property
    def own(self) -> Certificate:
        """The server's own certificate."""
        return self.chain[0]

    @property
    def not_after(self) -> datetime:
        """When the first of the chain ends: clients refuse all of it from then on."""
        return min(one.not_after for one in self.chain)

    @property
    def not_before(self) -> datetime:
        """When the last of the chain begins."""
        return max(one.not_before for one in self.chain)


def named_files(certificate: Path | None, key: Path | None) -> PairFiles | None:
    """Take the two settings: both are set, or neither, and then there is no TLS.

    Raises `ConfigurationError`.
    """
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        given, missing = (
            (KEY_SETTING, CERTIFICATE_SETTING)
            if certificate is None
            else (CERTIFICATE_SETTING, KEY_SETTING)
        )
        raise ConfigurationError(
            f"{given} is set and {missing} is not: set both to serve TLS, or neither"
        )
    return PairFiles(certificate, key)


def read_pair(files: PairFiles) -> Pair:
    """Read both files; raises `ConfigurationError` naming the one that cannot be read."""
    return Pair(
        _read(CERTIFICATE_SETTING, files.certificate),
        _read(KEY_SETTING, files.key),
    )


def _read(setting: str, path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigurationError(f"cannot read {setting} {path}: {error.strerror}") from None
    if len(content) > _FILE_BYTES_MAX:
        raise ConfigurationError(f"{setting} {path} has more than {_FILE_BYTES_MAX} bytes")
    return content


def check_pair(pair: Pair, files: PairFiles) -> CheckedPair:
    """Say what the pair is; raises `ConfigurationError` where it cannot be served.

    Takes some tenths of a second, for a process is started. An expired certificate passes.
    """
    named_certificate = f"{CERTIFICATE_SETTING} {files.certificate}"
    named_key = f"{KEY_SETTING} {files.key}"
    if any(mark in pair.key for mark in _ENCRYPTED):
        raise ConfigurationError(
            f"{named_key} is encrypted, and ingest takes no password: store the key without one,"
            " readable by ingest alone (`openssl pkey -in KEY -out KEY`)"
        )
    if not any(label in pair.key for label in _KEY_LABELS):
        raise ConfigurationError(f"{named_key} holds no private key in PEM")
    try:
        chain = tuple(read_certificates(pair.certificate))
    except ValueError as error:
        raise ConfigurationError(f"{named_certificate} holds a broken certificate") from error
    if not chain:
        raise ConfigurationError(f"{named_certificate} holds no certificate in PEM")
    with memory_file(pair.certificate) as certificate, memory_file(pair.key) as key:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(certificate.path, key.path, password=_no_password)
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise ConfigurationError(
                    f"{named_key} is not the key of the certificate in {named_certificate}"
                ) from error
            raise ConfigurationError(
                f"{named_certificate} and {named_key} cannot be read ({error.reason})"
            ) from None
        refused = _try_it([certificate.path, key.path], certificate.inherited + key.inherited)
    if refused is not None:
        raise ConfigurationError(
            f"{named_certificate} and {named_key} cannot be served ({refused}): use a certificate"
            " of version 3 with an RSA key of 2048 to 4096 bits, ECDSA P-256 or P-384, or Ed25519"
        )
    return CheckedPair(pair, chain)


def _no_password() -> str:
    """Keep OpenSSL from asking at the terminal."""
    return ""


def _try_it(arguments: list[str], inherited: tuple[int, ...]) -> str | None:
    """Let the server take the pair in a process that may end by it; None if it went well."""
    command = [sys.executable, "-m", "services.serving.tls.trial", *arguments]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=inherited,
            timeout=_TRIAL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"trying it took more than {_TRIAL_SECONDS:g} s"
    if done.returncode == 0:
        return None
    said = done.stderr.decode("utf-8", "replace").splitlines()
    # Of a panic, the line under the one that says where.
    after = [line for at, line in enumerate(said[1:]) if " panicked at " in said[at]]
    reason = (after or said[-1:] or ["no reason was given"])[0]
    return reason.removeprefix("called `Result::unwrap()` on an `Err` value: ").strip()[:200]
