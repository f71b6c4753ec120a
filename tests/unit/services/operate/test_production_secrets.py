"""What production.yml needs beside first secrets: made once, renewed in time, each in its place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self

import pytest

from services.operate import first_certificates
from services.operate.first_secrets import make_first_secrets
from services.operate.production_secrets import KAFKA_USERS, make_production_secrets
from services.platform.errors import ConfigurationError
from tests.unit.services.operate.secret_files import contents

NAME = "meter.example.com"


def make(folder: Path, *names: str) -> list[str]:
    lines: list[str] = []
    make_first_secrets(folder, lambda line: None)
    make_production_secrets(folder, names or (NAME,), lines.append)
    return lines


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    make(tmp_path)
    first = contents(tmp_path)
    assert [line for line in make(tmp_path) if line.endswith("made")] == [
        "kafka/jaas, kafka/admin.properties: made"
    ]
    assert contents(tmp_path) == first


def test_each_kafka_user_and_the_job_that_lets_it_in_have_one_password(tmp_path: Path) -> None:
    make(tmp_path)
    found = {user: (tmp_path / user / "kafka_password").read_text().strip() for user in KAFKA_USERS}
    assert len(set(found.values())) == len(KAFKA_USERS)
    for user, password in found.items():
        job = tmp_path / "kafka-users" / f"{user}_password"
        assert job.read_text().strip() == password
        assert len(password) >= 40
    admin = (tmp_path / "kafka-users" / "admin_password").read_text().strip()
    for name in ("jaas", "admin.properties"):
        said = (tmp_path / "kafka" / name).read_text()
        assert f'password="{admin}"' in said
        assert not [password for password in found.values() if password in said]


def test_the_authoritys_key_is_nowhere_else(tmp_path: Path) -> None:
    make(tmp_path)
    key = (tmp_path / "ca" / "ca.key").read_bytes().strip()
    having = {path for path, content in contents(tmp_path).items() if key in content}
    assert having == {"ca/ca.key"}
    assert (tmp_path / "ca" / "ca.key").stat().st_mode & 0o077 == 0


def test_a_new_name_renews_the_proxys_certificate_alone(tmp_path: Path) -> None:
    make(tmp_path)
    before = contents(tmp_path)
    assert f"proxy/server.pem: made, for other.example.com, {NAME}" in make(
        tmp_path, "other.example.com", NAME
    )
    after = contents(tmp_path)
    changed = {path for path in after if after[path] != before.get(path)}
    assert changed == {"proxy/server.pem", "proxy/server.crt", "proxy/server.key"}


def test_what_ends_soon_is_renewed_by_the_same_authority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path)
    before = contents(tmp_path)

    soon = datetime.now(UTC) + timedelta(days=first_certificates.SERVER_DAYS)

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls(soon.year, soon.month, soon.day, tzinfo=tz)

    with monkeypatch.context() as patched:
        patched.setattr(first_certificates, "datetime", Later)
        make(tmp_path)
    after = contents(tmp_path)
    changed = {path.partition("/")[0] for path in after if after[path] != before[path]}
    assert changed == {"kafka", "clickhouse", "proxy"}
    assert after["ca/ca.pem"] == before["ca/ca.pem"]


@pytest.mark.parametrize("name", ["", "a b", "https://meter.example.com", "x" * 300, "-a"])
def test_what_is_no_name_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="no host name"):
        make_production_secrets(tmp_path, (NAME, name), lambda line: None)
    assert contents(tmp_path) == {}


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "kafka-users").write_text("a file")
    with pytest.raises(ConfigurationError, match="kafka-users"):
        make_production_secrets(tmp_path, (NAME,), lambda line: None)
