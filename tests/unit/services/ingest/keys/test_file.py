"""The two files: what is written is read back, and a bad one says what to fix."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from services.ingest.keys.entry import KeyEntry, KeyLimits
from services.ingest.keys.file import read_keys_file, read_pepper, write_keys_file
from services.ingest.keys.secret import new_key, new_pepper
from services.platform.errors import ConfigurationError

PEPPER = b"p" * 32


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


def test_every_field_survives_the_file(tmp_path: Path) -> None:
    _, entry = new_key(
        *("acme", "eu", PEPPER, "openai"),
        tenants=("globex",),
        regions=("us",),
        scopes=("read", "ingest"),
        limits=KeyLimits(events_per_second=1.5, bytes_per_second=1e6, models_max=3),
        note="the gateway in Frankfurt",
        created_at="2026-03-15T12:00:00Z",
        expires_at="2026-04-15T12:00:00Z",
        disabled=True,
    )
    write_keys_file(tmp_path / "keys.yaml", [entry])
    assert read_keys_file(tmp_path / "keys.yaml") == [entry]


def test_a_file_of_the_first_version_still_loads(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text(f"keys: [{GOOD.replace('}', ', provider: openai, disabled: false}')}]")
    (entry,) = read_keys_file(file)
    assert (entry.tenant, entry.region, entry.scopes) == ("acme", "eu", ("ingest",))
    assert entry.allows_region("anywhere")
    assert not entry.allows_tenant("globex")


def test_the_end_of_line_of_a_pepper_file_is_no_part_of_it(tmp_path: Path) -> None:
    pepper = new_pepper()
    (tmp_path / "pepper").write_bytes(pepper + b"\n")
    assert read_pepper(tmp_path / "pepper") == pepper


def test_entries_take_no_unknown_field() -> None:
    with pytest.raises(ValueError, match="tenat"):
        KeyEntry.model_validate({"tenat": "x"})
