"""API keys: who gets in, who does not, and what a bad file says."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.ingest.errors import ForbiddenError, UnauthorizedError
from services.ingest.keys import (
    KeyEntry,
    KeyRing,
    add_key,
    new_key,
    new_pepper,
    read_keys_file,
    read_pepper,
    write_keys_file,
)
from services.platform.errors import ConfigurationError

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
PEPPER = b"p" * 32


def test_a_new_key_is_let_in_as_what_it_is_bound_to() -> None:
    text, entry = new_key("acme", "eu", PEPPER, provider="openai")
    found = KeyRing([entry], PEPPER).verify(f"Bearer {text}", NOW)
    assert (found.tenant, found.region, found.provider) == ("acme", "eu", "openai")


def test_the_scheme_is_read_whatever_its_case() -> None:
    text, entry = new_key("acme", "eu", PEPPER)
    assert KeyRing([entry], PEPPER).verify(f"bearer {text}", NOW) == entry


def test_a_secret_has_128_bits_at_least_and_is_in_no_entry() -> None:
    text, entry = new_key("acme", "eu", PEPPER)
    prefix, lookup_id, secret = text.split("_", 2)
    assert prefix == "wtk"
    assert lookup_id == entry.id
    assert len(secret) >= 128 / 6
    assert secret not in repr(entry)
    assert new_key("acme", "eu", PEPPER)[0] != text


def test_wrong_keys_are_unauthorized() -> None:
    text, entry = new_key("acme", "eu", PEPPER)
    other, _ = new_key("acme", "eu", PEPPER)
    ring = KeyRing([entry], PEPPER)
    wrong = [
        *[None, "", "Bearer", "Bearer ", text, f"Basic {text}", f"Bearer {other}"],
        *[f"Bearer {text}x", f"Bearer {text[:-1]}", f"Bearer wtk_{entry.id}", "Bearer wtk__"],
        *[f"Bearer wtk_{entry.id}_", f"Bearer xtk{text[3:]}", "Bearer wtk_é_\udcff"],
    ]
    for header in wrong:
        with pytest.raises(UnauthorizedError):
            ring.verify(header, NOW)


def test_a_key_is_worth_nothing_under_another_pepper() -> None:
    text, entry = new_key("acme", "eu", PEPPER)
    with pytest.raises(UnauthorizedError):
        KeyRing([entry], b"q" * 32).verify(f"Bearer {text}", NOW)


def test_no_message_shows_a_key() -> None:
    text, entry = new_key("acme", "eu", PEPPER)
    with pytest.raises(UnauthorizedError) as caught:
        KeyRing([], PEPPER).verify(f"Bearer {text}", NOW)
    assert text not in str(caught.value)
    disabled = entry.model_copy(update={"disabled": True})
    with pytest.raises(ForbiddenError) as refused:
        KeyRing([disabled], PEPPER).verify(f"Bearer {text}", NOW)
    assert text.split("_", 2)[2] not in str(refused.value)


def test_a_disabled_key_is_forbidden_and_with_a_wrong_secret_unknown() -> None:
    text, entry = new_key("acme", "eu", PEPPER)
    ring = KeyRing([entry.model_copy(update={"disabled": True})], PEPPER)
    with pytest.raises(ForbiddenError, match="disabled"):
        ring.verify(f"Bearer {text}", NOW)
    with pytest.raises(UnauthorizedError):
        ring.verify(f"Bearer {text}x", NOW)


def test_a_key_is_good_until_the_moment_it_expires() -> None:
    text, entry = new_key("acme", "eu", PEPPER)
    ring = KeyRing([entry.model_copy(update={"expires_at": NOW})], PEPPER)
    assert ring.verify(f"Bearer {text}", NOW - timedelta(seconds=1)).id == entry.id
    with pytest.raises(ForbiddenError, match="expired"):
        ring.verify(f"Bearer {text}", NOW)


def test_an_expiry_without_zone_is_utc(tmp_path: Path) -> None:
    text, entry = new_key("acme", "eu", PEPPER)
    file = tmp_path / "keys.yaml"
    write_keys_file(file, [entry])
    file.write_text(file.read_text() + "  expires_at: 2026-03-15 12:00:00\n")
    with pytest.raises(ForbiddenError):
        KeyRing(read_keys_file(file), PEPPER).verify(f"Bearer {text}", NOW)


def test_a_written_file_is_read_back_and_is_its_owners_only(tmp_path: Path) -> None:
    entries = [new_key("acme", "eu", PEPPER)[1], new_key("globex", "us", PEPPER, "azure")[1]]
    file = tmp_path / "keys.yaml"
    write_keys_file(file, entries)
    assert read_keys_file(file) == entries
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["keys.yaml"]


GOOD = f"{{id: abcd, hmac_sha256: '{'0' * 64}', tenant: acme, region: eu}}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "list `keys:`"),
        ("keys: 5", "list `keys:`"),
        ("keys: [", "no YAML"),
        ("keys: [5]", "entry 0"),
        (f"keys: [{GOOD}, {{id: efgh}}]", "entry 1 (id 'efgh'): hmac_sha256"),
        (f"keys: [{GOOD.replace('acme', '')}]", "entry 0 (id 'abcd'): tenant"),
        (f"keys: [{GOOD.replace('region', 'regoin')}]", "entry 0 (id 'abcd'): re"),
        (f"keys: [{GOOD.replace('abcd', 'a_b_c')}]", "entry 0 (id 'a_b_c'): id"),
        (f"keys: [{GOOD}, {GOOD}]", "two entries with id 'abcd'"),
    ],
)
def test_a_bad_file_is_named_with_its_entry(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_keys_file(file)
    assert str(file) in str(caught.value)
    assert expected in str(caught.value)
    assert "0" * 64 not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for read in (read_keys_file, read_pepper):
        with pytest.raises(ConfigurationError, match=r"nothing-here"):
            read(tmp_path / "nothing-here")


def test_a_short_pepper_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "pepper"
    file.write_bytes(b"p" * 31 + b"\n")
    with pytest.raises(ConfigurationError, match="32 bytes"):
        read_pepper(file)


def test_the_end_of_line_of_a_pepper_file_is_no_part_of_it(tmp_path: Path) -> None:
    pepper = new_pepper()
    (tmp_path / "pepper").write_bytes(pepper + b"\n")
    assert read_pepper(tmp_path / "pepper") == pepper
    text, entry = new_key("acme", "eu", pepper + b"\n")
    assert KeyRing([entry], pepper).verify(f"Bearer {text}", NOW) == entry


def test_added_keys_all_work(tmp_path: Path) -> None:
    keys, pepper = tmp_path / "keys.yaml", tmp_path / "pepper"
    texts = [add_key(keys, pepper, tenant, "eu", None) for tenant in ("acme", "globex")]
    ring = KeyRing.load(keys, pepper)
    assert [ring.verify(f"Bearer {text}", NOW).tenant for text in texts] == ["acme", "globex"]
    assert stat.S_IMODE(pepper.stat().st_mode) == 0o600


def test_a_key_for_no_tenant_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="tenant"):
        add_key(tmp_path / "keys.yaml", tmp_path / "pepper", "", "eu", None)
    assert not (tmp_path / "keys.yaml").exists()


def test_entries_take_no_unknown_field() -> None:
    with pytest.raises(ValueError, match="tenat"):
        KeyEntry.model_validate({"tenat": "x"})
