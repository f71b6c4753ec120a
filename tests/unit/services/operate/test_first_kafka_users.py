"""Who is let into Kafka, with which password and which rights, and what is wrong said by name."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from services.operate.first_kafka_users import let_users_in
from services.platform.errors import ConfigurationError, UnavailableError
from services.platform.kafka_grants import grants
from services.platform.settings import KafkaSettings

GRANTS = grants(KafkaSettings(), "wattoken-aggregator")


class Admin:
    """In an administrator's place: notes what it is asked, and refuses if told to."""

    def __init__(self, refuses: bool = False) -> None:
        self.refuses = refuses
        self.passwords: dict[str, bytes] = {}
        self.rights: set[tuple[str, str, str]] = set()

    def alter_user_scram_credentials(self, wanted: list[Any], **_: Any) -> dict[str, Future[None]]:
        for one in wanted:
            self.passwords[one.user] = one.password
        return {one.user: self._done() for one in wanted}

    def create_acls(self, bindings: list[Any], **_: Any) -> dict[Any, Future[None]]:
        for one in bindings:
            self.rights.add((one.principal, one.operation.name, one.name))
        return {one: self._done() for one in bindings}

    def unanswered(self, error: KafkaException) -> UnavailableError:
        return UnavailableError(f"Kafka does not answer: {error.args[0].str()}")

    def _done(self) -> Future[None]:
        done: Future[None] = Future()
        if self.refuses:
            done.set_exception(
                KafkaException(KafkaError(KafkaError.SECURITY_DISABLED, "no authorizer"))
            )
        else:
            done.set_result(None)
        return done


def let_in(folder: Path, admin: Admin) -> list[str]:
    lines: list[str] = []
    let_users_in(admin, folder, GRANTS, lines.append)  # type: ignore[arg-type]
    return lines


def test_each_with_a_file_has_its_password_and_its_rights(tmp_path: Path) -> None:
    (tmp_path / "ingest_password").write_text("made-up-one\n")
    (tmp_path / "exporter_password").write_text("made-up-two\n")
    (tmp_path / "admin_password").write_text("made-up-three\n")
    (tmp_path / "ca.pem").write_text("a certificate")
    admin = Admin()
    assert let_in(tmp_path, admin) == [
        "exporter: has its password and 1 rights",
        "ingest: has its password and 3 rights",
    ]
    assert admin.passwords == {"ingest": b"made-up-one", "exporter": b"made-up-two"}
    assert admin.rights == {
        ("User:exporter", "DESCRIBE", "usage.events.v1"),
        ("User:ingest", "WRITE", "usage.events.v1"),
        ("User:ingest", "READ", "wattoken.successions"),
        ("User:ingest", "WRITE", "usage.rejected.v1"),
    }


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "no file that is named after a user"),
        ({"admin_password": "x"}, "no file that is named after a user"),
        ({"ingest_password": " \n"}, "ingest_password is empty"),
        ({"billing_password": "x"}, "there is no billing; there are ingest, aggregator"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_done(
    tmp_path: Path, files: dict[str, str], said: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    admin = Admin()
    with pytest.raises(ConfigurationError, match=said):
        let_in(tmp_path, admin)
    assert not admin.passwords


def test_a_refusal_is_told(tmp_path: Path) -> None:
    (tmp_path / "ingest_password").write_text("made-up\n")
    with pytest.raises(UnavailableError, match="no authorizer"):
        let_in(tmp_path, Admin(refuses=True))
