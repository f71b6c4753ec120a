"""A key's text: enough chance in it, and nothing of it in what is stored."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from services.ingest.keys.secret import digest, new_key, new_pepper, parse_key

PEPPER = b"p" * 32


def test_a_secret_has_128_bits_at_least_and_is_in_no_entry() -> None:
    text, entry = new_key("acme", "eu", PEPPER)
    prefix, lookup_id, secret = text.split("_", 2)
    assert prefix == "wtk"
    assert lookup_id == entry.id
    assert len(secret) >= 128 / 6
    assert secret not in repr(entry)
    assert new_key("acme", "eu", PEPPER)[0] != text


def test_it_is_stored_as_an_hmac_under_the_pepper() -> None:
    text, entry = new_key("acme", "eu", PEPPER + b"\n")
    secret = text.split("_", 2)[2]
    assert entry.hmac_sha256 == hmac.new(PEPPER, secret.encode(), hashlib.sha256).hexdigest()
    assert digest(PEPPER, secret).hex() == entry.hmac_sha256
    assert digest(b"q" * 32, secret).hex() != entry.hmac_sha256


def test_peppers_differ() -> None:
    assert new_pepper() != new_pepper()
    assert len(new_pepper()) >= 32


@pytest.mark.parametrize(
    "header", ["Bearer wtk_ab_c_d", "bearer  wtk_ab_c_d ", "BEARER wtk_ab_c_d"]
)
def test_a_header_is_split_at_the_first_underscores(header: str) -> None:
    assert parse_key(header) == ("ab", "c_d")


@pytest.mark.parametrize(
    "header", ["", "Bearer", "wtk_a_b", "Basic wtk_a_b", "Bearer wtk_a", "Bearer x_a_b"]
)
def test_any_other_header_is_none(header: str) -> None:
    assert parse_key(header) is None


def test_a_key_may_be_the_password_of_basic_authorization() -> None:
    text, entry = new_key("acme", "eu", PEPPER)
    for user in ("wattoken", ""):
        encoded = base64.b64encode(f"{user}:{text}".encode()).decode()
        assert parse_key(f"Basic {encoded}") == (entry.id, text.split("_", 2)[2])


@pytest.mark.parametrize("given", ["", "@", "d3Rr", base64.b64encode(b"a:\xff").decode()])
def test_what_is_no_password_of_ours_is_no_key(given: str) -> None:
    assert parse_key(f"Basic {given}") is None
