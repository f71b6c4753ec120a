"""First secrets are made once, each readable where it is needed, and fit each other."""

from __future__ import annotations

import hashlib
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.canary import CANARY
from services.ingest.keys.ring import KeyRing
from services.operate.first_secrets import CLICKHOUSE_USERS, FIRST_KEYS, make_first_secrets
from services.platform.errors import ConfigurationError
from tests.unit.services.operate.secret_files import contents


def make(folder: Path) -> list[str]:
    lines: list[str] = []
    make_first_secrets(folder, lines.append)
    return lines


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    make(tmp_path)
    first = contents(tmp_path)
    lines = make(tmp_path)
    assert contents(tmp_path) == first
    assert [line for line in lines if not line.endswith("exists")] == [
        "clickhouse/clickhouse_passwords.xml: made"
    ]


def test_a_missing_one_is_recreated_and_the_hashes_follow(tmp_path: Path) -> None:
    make(tmp_path)
    first = contents(tmp_path)
    (tmp_path / "exporter/clickhouse_password").unlink()
    make(tmp_path)
    changed = {name for name, content in contents(tmp_path).items() if content != first[name]}
    assert changed == {"exporter/clickhouse_password", "clickhouse/clickhouse_passwords.xml"}


def test_clickhouse_gets_hashes_of_the_passwords_and_no_password(tmp_path: Path) -> None:
    make(tmp_path)
    text = (tmp_path / "clickhouse/clickhouse_passwords.xml").read_text()
    hashes = dict(re.findall(r"<wattoken_(\w+)_sha256>([0-9a-f]{64})<", text))
    assert set(hashes) == set(CLICKHOUSE_USERS)
    passwords = set()
    for user, digest in hashes.items():
        password = (tmp_path / user / "clickhouse_password").read_text().strip()
        assert hashlib.sha256(password.encode()).hexdigest() == digest
        assert password not in text
        passwords.add(password)
    assert len(passwords) == len(CLICKHOUSE_USERS)
    assert all(len(password) >= 43 for password in passwords), "256 bits in base64"


def test_the_gateways_keys_are_known_to_ingest(tmp_path: Path) -> None:
    make(tmp_path)
    ring = KeyRing.load(tmp_path / "ingest/keys.yaml", tmp_path / "ingest/pepper")
    for tenant, region in FIRST_KEYS:
        key = (tmp_path / f"gateway/{tenant}.key").read_text().strip()
        entry = ring.verify(f"Bearer {key}", datetime.now(UTC)).entry
        assert (entry.tenant, entry.region) == (tenant, region)


def test_the_canarys_key_is_its_own_and_not_among_the_gateways(tmp_path: Path) -> None:
    make(tmp_path)
    ring = KeyRing.load(tmp_path / "ingest/keys.yaml", tmp_path / "ingest/pepper")
    key = (tmp_path / "canary/api_key").read_text().strip()
    entry = ring.verify(f"Bearer {key}", datetime.now(UTC)).entry
    assert (entry.tenant, entry.region) == (CANARY, CANARY)
    assert {path.stem for path in (tmp_path / "gateway").iterdir()} == dict(FIRST_KEYS).keys()


def test_only_the_owner_reads_what_our_own_services_use(tmp_path: Path) -> None:
    make(tmp_path)
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.parent.name not in ("clickhouse", "grafana"):
            assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigurationError, match=r"cannot write .*Permission denied"):
        make(tmp_path)


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "migrate").write_text("")
    with pytest.raises(ConfigurationError, match="migrate"):
        make(tmp_path)
