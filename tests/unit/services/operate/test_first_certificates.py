"""Certificates that a stranger's TLS takes, and none that it should not."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.operate.first_certificates import (
    RENEWED_BEFORE,
    SERVER_DAYS,
    KeyPair,
    issue,
    make_authority,
    stands,
)

NAMES = ("meter.example.com", "127.0.0.1")


@pytest.fixture(scope="module")
def authority() -> KeyPair:
    return make_authority()


def greet(authority: KeyPair, server: KeyPair, name: str, folder: Path) -> str:
    """Shake hands as a client that trusts the authority and wants a name; say by which TLS."""
    files = {"server.pem": server.certificate + server.key, "ca.pem": authority.certificate}
    for file, text in files.items():
        (folder / file).write_text(text)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(folder / "server.pem")
    client = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    here, there = socket.socketpair()

    def serve() -> None:
        try:
            served.wrap_socket(there, server_side=True).close()
        except OSError:
            there.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(here, server_hostname=name) as connection:
            return str(connection.version())
    finally:
        here.close()
        thread.join()


@pytest.mark.parametrize("name", NAMES)
def test_who_trusts_the_authority_trusts_the_server(
    authority: KeyPair, tmp_path: Path, name: str
) -> None:
    assert greet(authority, issue(authority, NAMES), name, tmp_path) == "TLSv1.3"


def test_another_name_is_refused(authority: KeyPair, tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="(?i)mismatch"):
        greet(authority, issue(authority, NAMES), "other.example.com", tmp_path)


def test_another_authority_is_refused(authority: KeyPair, tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        greet(make_authority(), issue(authority, NAMES), NAMES[0], tmp_path)


def test_a_server_cannot_sign_for_others(authority: KeyPair, tmp_path: Path) -> None:
    server = issue(authority, NAMES)
    forged = issue(server, ("bank.example.com",))
    chained = KeyPair(forged.certificate + server.certificate, forged.key)
    with pytest.raises(ssl.SSLCertVerificationError):
        greet(authority, chained, "bank.example.com", tmp_path)


def test_what_stands_is_the_authoritys_for_the_names_and_for_a_while(authority: KeyPair) -> None:
    made = issue(authority, NAMES)
    assert stands(made.certificate, authority.certificate, NAMES)
    # As it lies in a file, with its key behind it.
    assert stands(made.certificate + made.key, authority.certificate, NAMES)
    assert not stands(made.certificate, authority.certificate, NAMES[:1])
    assert not stands(made.certificate, make_authority().certificate, NAMES)
    assert not stands("no certificate", authority.certificate, NAMES)
    soon = datetime.now(UTC) + timedelta(days=SERVER_DAYS) - RENEWED_BEFORE
    assert stands(made.certificate, authority.certificate, NAMES, soon - timedelta(days=1))
    assert not stands(made.certificate, authority.certificate, NAMES, soon + timedelta(days=1))


def test_a_long_name_fits(authority: KeyPair, tmp_path: Path) -> None:
    name = f"{'a' * 60}.{'b' * 60}.example.com"
    assert greet(authority, issue(authority, (name,)), name, tmp_path) == "TLSv1.3"
