"""What is read from a certificate is what the library that made it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from services.serving.tls.certificate import read_certificates

KEY = ec.generate_private_key(ec.SECP256R1())
MOMENTS = st.integers(-631_152_000, 7_258_118_400).map(
    lambda second: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
)
NAMES = st.lists(st.from_regex(r"[a-z]{1,20}\.[a-z]{2,5}", fullmatch=True), max_size=12)
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF), min_size=1, max_size=40)


@settings(max_examples=15, deadline=None)
@given(
    serial=st.integers(1, 2**158),
    begin=MOMENTS,
    length=st.integers(0, 10_000_000),
    common=TEXTS,
    names=NAMES,
)
def test_each_field_is_read(
    serial: int, begin: datetime, length: int, common: str, names: list[str]
) -> None:
    end = begin + timedelta(seconds=length)
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, "of no interest"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(x509.Name([]))
        .public_key(KEY.public_key())
        .serial_number(serial)
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    if names:
        others = [x509.RFC822Name("a@b.c"), *map(x509.DNSName, names)]
        builder = builder.add_extension(
            x509.BasicConstraints(ca=False, path_length=None), critical=True
        ).add_extension(x509.SubjectAlternativeName(others), critical=False)
    made = builder.sign(KEY, hashes.SHA256())
    (read,) = read_certificates(made.public_bytes(serialization.Encoding.PEM))
    assert read.subject == f"C=DE, CN={common}"
    assert read.names == tuple(names)
    assert int(read.serial, 16) == serial
    assert read.not_before == begin
    assert read.not_after == end


def test_a_chain_is_read_in_its_order() -> None:
    root = trustme.CA()
    issued = root.create_child_ca().issue_cert("a.example")
    pem = b"some words\n" + b"\n".join(blob.bytes() for blob in issued.cert_chain_pems)
    own, intermediate = read_certificates(pem)
    assert own.names == ("a.example",)
    assert intermediate.names == ()
    assert own.serial != intermediate.serial


def test_what_is_no_certificate_is_none() -> None:
    assert read_certificates(b"") == []
    assert read_certificates(trustme.CA().private_key_pem.bytes()) == []


@pytest.mark.parametrize("cut", [40, 120, 300])
def test_a_broken_one_is_said_to_be(cut: int) -> None:
    pem = trustme.CA().cert_pem.bytes()
    lines = pem.splitlines(keepends=True)
    body = b"".join(lines[1:-1]).replace(b"\n", b"")[:cut]
    with pytest.raises(ValueError):
        read_certificates(lines[0] + body + b"\n" + lines[-1])
