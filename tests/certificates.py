"""Certificates for tests, of an authority of their own."""

from __future__ import annotations

import ssl
from datetime import datetime
from pathlib import Path

import trustme

from services.serving.tls.pair import Pair, PairFiles


class Authority:
    """Issues certificates for this machine, and says who trusts them."""

    def __init__(self) -> None:
        self._ca = trustme.CA()

    def pair(self, *names: str, not_after: datetime | None = None) -> Pair:
        """A certificate for 127.0.0.1, or for these names, and its key."""
        issued = self._ca.issue_cert(*(names or ("127.0.0.1",)), not_after=not_after)
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        return Pair(chain, issued.private_key_pem.bytes())

    def ca_file(self, folder: Path) -> Path:
        """Write what clients trust."""
        path = folder / "ca.pem"
        path.write_bytes(self._ca.cert_pem.bytes())
        return path

    def client(self) -> ssl.SSLContext:
        """A client's context that trusts this authority alone."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._ca.configure_trust(context)
        return context


def write_pair(folder: Path, pair: Pair) -> PairFiles:
    """Put a pair into a folder; each file is replaced at once."""
    files = PairFiles(folder / "tls.crt", folder / "tls.key")
    replace(files.certificate, pair.certificate)
    replace(files.key, pair.key)
    return files


def replace(path: Path, content: bytes) -> None:
    """Put a file in place of another at once, so that nobody reads half of it."""
    fresh = path.with_suffix(".fresh")
    fresh.write_bytes(content)
    fresh.replace(path)


def serial_of(pair: Pair) -> int:
    """The serial number of the pair's certificate, as the library that made it says."""
    from cryptography import x509

    return x509.load_pem_x509_certificate(pair.certificate).serial_number
