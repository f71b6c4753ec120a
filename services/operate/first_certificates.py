"""Makes an authority and the certificates of servers that trust only it: P-256, in PEM.

Needs the extra `settle`, which brings `cryptography`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from services.platform.errors import ConfigurationError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

AUTHORITY_NAME: Final = "Wattoken, this deployment"
AUTHORITY_DAYS: Final = 3650
#: As long as browsers take one.
SERVER_DAYS: Final = 397
#: A certificate that ends sooner is made again.
RENEWED_BEFORE: Final = timedelta(days=60)
#: For clocks that differ.
_SLACK: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key, both as PEM; the key is not encrypted."""

    certificate: str
    key: str


def require_cryptography() -> None:
    """Raise `ConfigurationError` where certificates cannot be made."""
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise ConfigurationError(
            "certificates need the package cryptography: pip install 'wattoken[settle]'"
            " (in a clone `make setup`)"
        ) from None


def make_authority(now: datetime | None = None) -> KeyPair:
    """An authority that signs servers' certificates and no other authority."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(AUTHORITY_NAME)
    made = (
        _begun(now, AUTHORITY_DAYS)
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return _signed(made, key, key)


def issue(authority: KeyPair, names: Sequence[str], now: datetime | None = None) -> KeyPair:
    """A server's certificate for host names and addresses, the first of them its own name."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    ca, ca_key = _read(authority)
    key = ec.generate_private_key(ec.SECP256R1())
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    made = (
        _begun(now, SERVER_DAYS)
        .subject_name(_name(names[0]))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([*map(_host, names)]), critical=False)
        .add_extension(identifier, critical=False)
    )
    return _signed(made, key, ca_key)


def stands(
    certificate: str, authority: str, names: Sequence[str], now: datetime | None = None
) -> bool:
    """Whether a certificate is the authority's, for just these names, and stays so for a while."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    try:
        own, ca = (
            x509.load_pem_x509_certificate(text.encode()) for text in (certificate, authority)
        )
        own.verify_directly_issued_by(ca)
        named = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    at = now or datetime.now(UTC)
    return list(named) == [*map(_host, names)] and own.not_valid_after_utc - at > RENEWED_BEFORE


def _read(pair: KeyPair) -> tuple[x509.Certificate, EllipticCurvePrivateKey]:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(pair.key.encode(), password=None)
    assert isinstance(key, EllipticCurvePrivateKey), "made by `make_authority`"
    return x509.load_pem_x509_certificate(pair.certificate.encode()), key


def _begun(now: datetime | None, days: int) -> x509.CertificateBuilder:
    from cryptography import x509

    at = now or datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - _SLACK)
        .not_valid_after(at + timedelta(days=days))
    )


def _name(common_name: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    # The field holds no more; what counts are the names of the extension.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _host(name: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _signed(
    made: x509.CertificateBuilder, key: EllipticCurvePrivateKey, by: EllipticCurvePrivateKey
) -> KeyPair:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    certificate = made.sign(by, hashes.SHA256())
    # PKCS #8, which Java wants.
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return KeyPair(certificate.public_bytes(Encoding.PEM).decode(), private.decode())
