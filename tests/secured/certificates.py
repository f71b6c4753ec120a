"""Authorities and certificates made for one test."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from services.local_stack.ports import LOOPBACK


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate with its chain, and its key in PKCS #8, which Java wants."""

    certificate: Path
    key: Path

    def joined(self) -> Path:
        """Both in one file, as Kafka reads a key store of type PEM."""
        path = self.certificate.with_suffix(".store.pem")
        path.write_bytes(self.key.read_bytes() + self.certificate.read_bytes())
        return path


class Authority:
    """Signs certificates that lie in ``folder``, beside its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._ca = trustme.CA()
        self.certificate = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.certificate))

    def server(self) -> Pair:
        """Issue a certificate for a server on loopback."""
        return self._pair("server", self._ca.issue_cert(LOOPBACK, "localhost"), NoEncryption())

    def client(self, name: str, *, password: str = "") -> Pair:
        """Issue one that says who a client is; its key is encrypted where a password is given."""
        # Java takes no certificate with an empty list of names.
        issued = self._ca.issue_cert(f"{name}.invalid", common_name=name)
        encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
        return self._pair(name, issued, encryption)

    def _pair(
        self, name: str, issued: trustme.LeafCert, encryption: KeySerializationEncryption
    ) -> Pair:
        pair = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        pair.certificate.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
        key = load_pem_private_key(issued.private_key_pem.bytes(), None)
        pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
        return pair
